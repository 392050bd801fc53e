// The file of a backup: a ZIP archive with one entry a table, in PostgreSQL's COPY text format, and a manifest as its last
// entry. The archive's comment, the last bytes of the file, is the SHA-256 of all bytes before it, so that no byte can
// change unseen.
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { OperatorError } from '../lib/operator-error.ts';

/** Raised when older code could not read what newer code writes. */
export const FORMAT = 1;
export const MANIFEST_ENTRY = 'manifest.json';
/** A SHA-256 in hexadecimal. */
export const SEAL_BYTES = 64;

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const name = z.string().regex(/^[a-z_][a-z0-9_]*$/);
const count = z.int().min(0);

const tableInManifest = z.object({
  name,
  columns: z.array(name).min(1),
  rows: count,
  /** Of the entry before it was compressed, as the digest below. */
  bytes: count,
  sha256,
  /** The next value of each column that counts by itself: rows with the highest ids may be gone, and no id is given twice. */
  next: z.record(name, z.int().min(1)),
});

export const manifestSchema = z.object({
  format: z.int(),
  product: z.literal('slotkeeper'),
  /** Of the product. */
  version: z.string(),
  /** The newest applied migration. */
  schemaVersion: z.string(),
  /** All of them, in the order in which they were applied. */
  migrations: z.array(z.string()).min(1),
  /** The moment of the snapshot, by the database's clock. */
  createdAt: z.iso.datetime(),
  /** The uuid of the installation. */
  installation: z.uuid(),
  /** The server's version. */
  postgresql: z.string(),
  /** In an order in which they can be filled: a table after those that it refers to. */
  tables: z.array(tableInManifest).min(1),
});

export type Manifest = z.infer<typeof manifestSchema>;
export type TableInManifest = z.infer<typeof tableInManifest>;

/** What is wrong with a file, or with restoring it, in a sentence for an operator. */
export class BackupFault extends OperatorError {}

export function entryOf(table: string): string {
  return `${table}.copy`;
}

/** Counts and digests COPY text that passes by. */
export class Digest {
  rows = 0;
  bytes = 0;
  readonly #hash = createHash('sha256');

  update(chunk: Buffer): void {
    this.bytes += chunk.length;
    this.#hash.update(chunk);
    // A line feed in a value is written as \n, so each one ends a row.
    for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, at + 1)) this.rows += 1;
  }

  /** To be asked once, at the end. */
  result(): Pick<TableInManifest, 'rows' | 'bytes' | 'sha256'> {
    return { rows: this.rows, bytes: this.bytes, sha256: this.#hash.digest('hex') };
  }
}

/** What is read from `source`, digested on its way. */
export async function* digested(source: AsyncIterable<Buffer>, digest: Digest): AsyncGenerator<Buffer> {
  for await (const chunk of source) {
    digest.update(chunk);
    yield chunk;
  }
}

/** The archive's bytes with the seal in place of the last SEAL_BYTES, which are the comment that was reserved for it. */
export async function* sealed(archive: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const hash = createHash('sha256');
  let held: Buffer = Buffer.alloc(0);
  for await (const chunk of archive) {
    const bytes = Buffer.concat([held, chunk]);
    const end = Math.max(0, bytes.length - SEAL_BYTES);
    held = bytes.subarray(end);
    hash.update(bytes.subarray(0, end));
    yield bytes.subarray(0, end);
  }
  yield Buffer.from(hash.digest('hex'));
}
