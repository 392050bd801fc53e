import type { Header } from './headers.ts';

export interface Outgoing {
  method: string;
  url: URL;
  headers: readonly Header[];
  body: string | null;
}

export interface Reply {
  status: number;
  /** Names in lower case. */
  headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The first bytes of the body, KEPT_BYTES at most, as they came: nothing is decompressed. */
  beginning: Buffer;
  /** Whether the body has more than its beginning. */
  isLonger: boolean;
  /** Whether the body was larger than it may be; the rest was not read. */
  isTooLarge: boolean;
}
