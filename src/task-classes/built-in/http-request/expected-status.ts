/** A range of status codes, both ends included. */
export interface StatusRange {
  from: number;
  to: number;
}

/** The final status codes; 1xx is never the last word. */
const LEAST = 200;
const MOST = 599;
const MAX_RANGES = 20;
export const STATUS_RULE = `status codes from ${LEAST} to ${MOST} and ranges of them, such as "200-299, 304"`;

/** Parses up to 20 codes and ranges, separated by commas. Null if the text is not that. */
export function parseExpectedStatus(text: string): StatusRange[] | null {
  const ranges = text.split(',', MAX_RANGES + 1).map(parseRange);
  return ranges.length <= MAX_RANGES && ranges.every((range) => range !== null) ? ranges : null;
}

function parseRange(text: string): StatusRange | null {
  const [, from, to = from] = /^\s*(\d{3})\s*(?:-\s*(\d{3})\s*)?$/.exec(text) ?? [];
  const range = { from: Number(from), to: Number(to) };
  return range.from >= LEAST && range.to <= MOST && range.from <= range.to ? range : null;
}

export function isExpected(status: number, ranges: readonly StatusRange[]): boolean {
  return ranges.some(({ from, to }) => status >= from && status <= to);
}

export function describeExpected(ranges: readonly StatusRange[]): string {
  return ranges.map(({ from, to }) => (from === to ? `${from}` : `${from}-${to}`)).join(', ');
}
