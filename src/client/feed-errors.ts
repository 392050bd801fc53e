/** The log cannot be resumed from the cursor without a gap. Load the current state, and begin without a cursor. */
export class CursorExpired extends Error {}

/** Any other refusal by the server, such as wrong credentials or an unknown task. Retrying would not help. */
export class FeedRefused extends Error {}
