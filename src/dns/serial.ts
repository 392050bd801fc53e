// Serial numbers of zones, compared as RFC 1982 says.

const SPAN = 2 ** 32;
const HALF = 2 ** 31;

/** Whether a name server takes `serial` for newer than `than`. */
export function isNewerSerial(serial: number, than: number): boolean {
  const ahead = (serial - than + SPAN) % SPAN;
  return ahead > 0 && ahead < HALF;
}

/**
 * The serial after `last`: the day's first as `YYYYMMDD00`, or the next number if that is not newer. `day` is `YYYY-MM-
 * DD`.
 */
export function nextSerial(last: number | null, day: string): number {
  const dated = Number(`${day.replaceAll('-', '')}00`);
  if (last === null || isNewerSerial(dated, last)) return dated;
  return (last + 1) % SPAN;
}
