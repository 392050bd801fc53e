// Reads a backup file and checks it.
import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Readable } from 'node:stream';
import yauzl from 'yauzl';
import { reasonOf } from '../lib/describe-error.ts';
import {
  BackupFault,
  Digest,
  digested,
  entryOf,
  FORMAT,
  MANIFEST_ENTRY,
  type Manifest,
  manifestSchema,
  SEAL_BYTES,
  type TableInManifest,
} from './archive.ts';

/** About a hundred times the size of a real one. */
const MAX_MANIFEST_BYTES = 1_000_000;
/** The first bytes of every ZIP archive that has an entry. */
const ZIP_SIGNATURE = Buffer.from('PK\x03\x04');
const READ_BYTES = 1 << 20;

export interface VerifyOptions {
  signal?: AbortSignal;
  /** Called with the fraction that is done, 0 to 1. */
  progress?(fraction: number): void;
}

/**
 * Checks every byte of a file and every table in it, and returns its manifest. Throws a BackupFault if it is damaged.
 */
export async function verifyBackup(path: string, options: VerifyOptions = {}): Promise<Manifest> {
  const backup = await openBackup(path, options);
  await backup.close();
  return backup.manifest;
}

/** A file that was found intact. It stays open, so that what is read later is what was checked. */
export class OpenBackup {
  readonly manifest: Manifest;
  readonly name: string;
  readonly #file: FileHandle;
  readonly #zip: yauzl.ZipFile;
  readonly #entries: ReadonlyMap<string, yauzl.Entry>;

  constructor(name: string, manifest: Manifest, file: FileHandle, contents: Contents) {
    this.name = name;
    this.manifest = manifest;
    this.#file = file;
    this.#zip = contents.zip;
    this.#entries = contents.entries;
  }

  /** The rows of a table as COPY text. */
  read(table: string): Promise<Readable> {
    return readEntry(this.#zip, this.#entries, entryOf(table));
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

interface Contents {
  zip: yauzl.ZipFile;
  entries: ReadonlyMap<string, yauzl.Entry>;
}

/** Opens and checks a file. Throws a BackupFault if it cannot be read or is damaged. */
export async function openBackup(path: string, { signal, progress }: VerifyOptions = {}): Promise<OpenBackup> {
  const name = basename(path);
  const file = await open(path, 'r').catch((error: unknown) => {
    throw new BackupFault(`${path} cannot be read: ${reasonOf(error)}.`);
  });
  try {
    const meter = new ReadingMeter(progress);
    await checkSeal(file, name, meter, signal);
    const contents = await listEntries(file, name);
    const manifest = await readManifest(contents, name);
    checkEntries(contents, manifest, name);
    meter.expect(manifest.tables);
    for (const table of manifest.tables) await checkTable(contents, table, name, meter, signal);
    return new OpenBackup(name, manifest, file, contents);
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** The file is read twice: as it is, which counts as the first half of the work, and unpacked. */
class ReadingMeter {
  readonly #progress: (fraction: number) => void;
  #unpacked = 0;
  #toUnpack = 1;

  constructor(progress: ((fraction: number) => void) | undefined) {
    this.#progress = progress ?? (() => undefined);
  }

  read(part: number): void {
    this.#progress(part / 2);
  }

  expect(tables: readonly TableInManifest[]): void {
    this.#toUnpack = Math.max(
      1,
      tables.reduce((sum, { bytes }) => sum + bytes, 0),
    );
  }

  unpacked(bytes: number): void {
    this.#unpacked += bytes;
    this.#progress(0.5 + Math.min(1, this.#unpacked / this.#toUnpack) / 2);
  }
}

/** Looks at the first and last bytes before it hashes the rest: truncated files and other files fail at once. */
async function checkSeal(
  file: FileHandle,
  name: string,
  meter: ReadingMeter,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { size } = await file.stat();
  const start = await readAt(file, 0, ZIP_SIGNATURE.length);
  if (!start.equals(ZIP_SIGNATURE))
    throw new BackupFault(`${name} is not a Slotkeeper backup, or its beginning is damaged.`);
  const end = size - SEAL_BYTES;
  const seal = (await readAt(file, Math.max(0, end), SEAL_BYTES)).toString('latin1');
  if (!/^[0-9a-f]{64}$/.test(seal)) {
    throw new BackupFault(`${name} is damaged: it does not end with its checksum, so it was truncated or extended.`);
  }
  const hash = createHash('sha256');
  const buffer = Buffer.alloc(READ_BYTES);
  for (let position = 0; position < end; ) {
    signal?.throwIfAborted();
    const { bytesRead } = await file.read(buffer, 0, Math.min(READ_BYTES, end - position), position);
    if (bytesRead === 0) throw new BackupFault(`${name} was truncated while it was read.`);
    hash.update(buffer.subarray(0, bytesRead));
    position += bytesRead;
    meter.read(position / end);
  }
  if (hash.digest('hex') !== seal)
    throw new BackupFault(`${name} is damaged: its content does not match its checksum.`);
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position);
  return buffer.subarray(0, bytesRead);
}

async function listEntries(file: FileHandle, name: string): Promise<Contents> {
  try {
    const zip = await yauzl.fromFdPromise(file.fd, { autoClose: false });
    const entries = new Map<string, yauzl.Entry>();
    for await (const entry of zip.eachEntry()) entries.set(entry.fileName, entry);
    return { zip, entries };
  } catch (error) {
    throw new BackupFault(`${name} is not a Slotkeeper backup: ${reasonOf(error)}.`);
  }
}

function readEntry(zip: yauzl.ZipFile, entries: Contents['entries'], name: string): Promise<Readable> {
  const entry = entries.get(name);
  if (entry === undefined) throw new BackupFault(`${name} is missing.`);
  return zip.openReadStreamPromise(entry);
}

async function readManifest({ zip, entries }: Contents, name: string): Promise<Manifest> {
  const entry = entries.get(MANIFEST_ENTRY);
  if (entry === undefined || entry.uncompressedSize > MAX_MANIFEST_BYTES) {
    throw new BackupFault(`${name} is not a Slotkeeper backup: it has no manifest.`);
  }
  const chunks: Buffer[] = [];
  for await (const chunk of (await zip.openReadStreamPromise(entry)) as AsyncIterable<Buffer>) chunks.push(chunk);
  const content = parseJson(Buffer.concat(chunks).toString('utf8'));
  checkFormat(content, name);
  const parsed = manifestSchema.safeParse(content);
  if (parsed.success) return parsed.data;
  throw new BackupFault(`${name} is not a Slotkeeper backup: its manifest is invalid.`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Checked first: this version cannot know what a later format means. */
function checkFormat(content: unknown, name: string): void {
  const format = typeof content === 'object' && content !== null && 'format' in content ? content.format : undefined;
  if (typeof format === 'number' && format > FORMAT) {
    throw new BackupFault(
      `${name} was written by a newer version of Slotkeeper (format ${format}; this version reads up to ${FORMAT}): use that version.`,
    );
  }
}

function checkEntries({ entries }: Contents, { tables }: Manifest, name: string): void {
  const expected = [...tables.map((table) => entryOf(table.name)), MANIFEST_ENTRY];
  const found = [...entries.keys()];
  if (expected.toSorted().join() === found.toSorted().join()) return;
  throw new BackupFault(`${name} is damaged: its tables are not those in its manifest.`);
}

async function checkTable(
  { zip, entries }: Contents,
  table: TableInManifest,
  name: string,
  meter: ReadingMeter,
  signal: AbortSignal | undefined,
): Promise<void> {
  const digest = new Digest();
  const content = (await readEntry(zip, entries, entryOf(table.name))) as AsyncIterable<Buffer>;
  for await (const chunk of digested(content, digest)) {
    signal?.throwIfAborted();
    meter.unpacked(chunk.length);
  }
  if (isSame(digest.result(), table)) return;
  throw new BackupFault(`${name} is damaged: the rows of ${table.name} do not match its manifest.`);
}

/** Whether what was read matches the manifest. */
export function isSame(read: ReturnType<Digest['result']>, { rows, bytes, sha256 }: TableInManifest): boolean {
  return read.rows === rows && read.bytes === bytes && read.sha256 === sha256;
}
