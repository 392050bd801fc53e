// The server's clock. The clock of the browser may be minutes off, and ages are computed from times of the server.

/** The Date header has whole seconds and is a little old, so a smaller difference is ignored. */
const LEAST_SKEW_MS = 2_000;

let skewMs = 0;

/** Adjusts the clock to the `Date` header of a response. */
export function noteServerDate(header: string | null): void {
  const skew = header === null ? Number.NaN : Date.parse(header) - Date.now();
  if (!Number.isNaN(skew)) skewMs = Math.abs(skew) < LEAST_SKEW_MS ? 0 : skew;
}

/** Milliseconds since 1970 by the server's clock. */
export function serverNow(): number {
  return Date.now() + skewMs;
}
