// The server's clock: whoever looks may have one that is minutes off, and what is shown is counted from the server's times.

/** The server tells whole seconds, a little ago: less than this is no difference. */
const LEAST_SKEW_MS = 2_000;

let skewMs = 0;

/** Of an answer's `Date` header. */
export function noteServerDate(header: string | null): void {
  const skew = header === null ? Number.NaN : Date.parse(header) - Date.now();
  if (!Number.isNaN(skew)) skewMs = Math.abs(skew) < LEAST_SKEW_MS ? 0 : skew;
}

/** Milliseconds since 1970 by the server's clock. */
export function serverNow(): number {
  return Date.now() + skewMs;
}
