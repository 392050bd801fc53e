import { readFile } from 'node:fs/promises';
import { z } from 'zod';

const packageFile = new URL('../../package.json', import.meta.url);
const packageSchema = z.object({ version: z.string() });

export async function readProductVersion(): Promise<string> {
  return packageSchema.parse(JSON.parse(await readFile(packageFile, 'utf8'))).version;
}
