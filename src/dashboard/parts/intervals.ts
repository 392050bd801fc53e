// Lengths of time in milliseconds, the unit in which the browser counts instants and delays.

export const MINUTE_MS = 60_000;
export const DAY_MS = 86_400_000;

/** How long a search waits after the last key that was typed. */
export const TYPED_MS = 250;
