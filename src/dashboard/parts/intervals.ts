// Durations in milliseconds, the browser's unit of instants and delays.

export const MINUTE_MS = 60_000;
export const DAY_MS = 86_400_000;

/** How long a search waits after the last keystroke. */
export const TYPED_MS = 250;
