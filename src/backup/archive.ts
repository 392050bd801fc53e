// The format of a backup file: a ZIP archive with one entry per table, in PostgreSQL's COPY text format, and a manifest
// as its last entry. The archive's comment, the last bytes of the file, is the SHA-256 of all bytes before it, so that
// a change of any byte is detected.
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { OperatorError } from '../lib/operator-error.ts';

/** Incremented when older code could not read what newer code writes. */
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
  /** Of the uncompressed entry, like `sha256`. */
  bytes: count,
  sha256,
  /**
   * The next value of each column with a sequence: the rows with the highest ids may have been deleted, and no id may
   * repeat.
   */
  next: z.record(name, z.int().min(1)),
});

export const manifestSchema = z.object({
  format: z.int(),
  product: z.literal('slotkeeper'),
  /** Of the product. */
  version: z.string(),
  /** The newest applied migration. */
  schemaVersion: z.string(),
  /** All applied migrations, in order. */
  migrations: z.array(z.string()).min(1),
  /** When the snapshot was taken, by the database's clock. */
  createdAt: z.iso.datetime(),
  /** The uuid of the installation. */
  installation: z.uuid(),
  /** The version of the PostgreSQL server. */
  postgresql: z.string(),
  /** In the order in which they can be filled: each table after those that it references. */
  tables: z.array(tableInManifest).min(1),
});

export type Manifest = z.infer<typeof manifestSchema>;
export type TableInManifest = z.infer<typeof tableInManifest>;

/** What is wrong with a backup file, or prevents its restore, in one sentence for an operator. */
export class BackupFault extends OperatorError {}

export function entryOf(table: string): string {
  return `${table}.copy`;
}

/** Counts the rows and bytes of COPY text and hashes it. */
export class Digest {
  rows = 0;
  bytes = 0;
  readonly #hash = createHash('sha256');

  update(chunk: Buffer): void {
    this.bytes += chunk.length;
    this.#hash.update(chunk);
    // COPY writes a line feed in a value as \n, so every real line feed ends a row.
    for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, at + 1)) this.rows += 1;
  }

  /** Call it once, at the end. */
  result(): Pick<TableInManifest, 'rows' | 'bytes' | 'sha256'> {
    return { rows: this.rows, bytes: this.bytes, sha256: this.#hash.digest('hex') };
  }
}

/** Passes `source` through and updates `digest`. */
export async function* digested(source: AsyncIterable<Buffer>, digest: Digest): AsyncGenerator<Buffer> {
  for await (const chunk of source) {
    digest.update(chunk);
    yield chunk;
  }
}

/** Replaces the last SEAL_BYTES of the archive, the comment that was reserved for the seal, with the seal. */
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
