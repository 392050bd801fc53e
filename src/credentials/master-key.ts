import { randomBytes } from 'node:crypto';
import { link, mkdir, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { reasonOf } from '../lib/describe-error.ts';
import { OperatorError } from '../lib/operator-error.ts';
import { MASTER_KEY_BYTES } from './vault.ts';

const FILE = 'master.key';

/** The master key from its text: 64 hexadecimal digits, or 32 bytes in base64. Null for anything else. */
export function parseMasterKey(text: string): Buffer | null {
  if (/^[0-9a-f]{64}$/i.test(text)) return Buffer.from(text, 'hex');
  const bytes = Buffer.from(text, 'base64');
  return bytes.length === MASTER_KEY_BYTES && /^[A-Za-z0-9+/]{43}=?$/.test(text) ? bytes : null;
}

/** The master key of this data folder; if there is none, it is generated, readable by its owner only. */
export async function readOrMakeMasterKey(dataDir: string): Promise<Buffer> {
  const path = join(dataDir, FILE);
  const found = await readKey(path);
  if (found !== null) return found;
  try {
    await makeKey(dataDir, path);
  } catch (error) {
    throw new OperatorError(
      `No master key can be kept in ${dataDir} (${reasonOf(error)}): set DATA_DIR or MASTER_KEY.`,
    );
  }
  const made = await readKey(path);
  if (made === null) throw new OperatorError(`${path} was removed while it was being made.`);
  return made;
}

/** The master key of this data folder; null if there is none. */
export function readMasterKey(dataDir: string): Promise<Buffer | null> {
  return readKey(join(dataDir, FILE));
}

async function makeKey(dataDir: string, path: string): Promise<void> {
  await mkdir(dataDir, { recursive: true });
  const making = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
  const file = await open(making, 'wx', 0o600);
  try {
    await file.writeFile(`${randomBytes(MASTER_KEY_BYTES).toString('hex')}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  // A link is made whole or not at all, and by one of two processes that start at once; the other reads the winner's.
  await link(making, path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  await rm(making);
}

async function readKey(path: string): Promise<Buffer | null> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new OperatorError(`Cannot read the master key ${path}: ${(error as Error).message}.`);
  }
  const key = parseMasterKey(text.trim());
  if (key === null) throw new OperatorError(`${path} does not hold a master key (64 hexadecimal digits).`);
  return key;
}
