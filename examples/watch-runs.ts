// Prints what happens to runs, and goes on where it was after any interruption, its own end included:
//
//   ADMIN_API_KEY=… ADMIN_API_SECRET=… node examples/watch-runs.ts [FILE]
//
// FILE keeps the cursor from one start to the next.
import { readFile, rename, writeFile } from 'node:fs/promises';
import { CursorExpired, createRunFeed } from 'slotkeeper/client';

const { ADMIN_API_KEY: key, ADMIN_API_SECRET: secret, SLOTKEEPER_URL = 'ws://127.0.0.1:4000/graphql' } = process.env;
const file = process.argv[2];
const kept = file === undefined ? undefined : await readFile(file, 'utf8').catch(() => undefined);

/** Written beside and renamed: whoever is killed in between leaves the cursor before, never half of one. */
async function keep(file: string, cursor: string): Promise<void> {
  await writeFile(`${file}.new`, cursor);
  await rename(`${file}.new`, file);
}

const feed = createRunFeed({
  url: SLOTKEEPER_URL,
  authorization: `Basic ${Buffer.from(`${key}:${secret}`).toString('base64')}`,
  after: kept,
  onConnected: (isConnected) => process.stderr.write(isConnected ? 'connected\n' : 'connection lost\n'),
});

try {
  for await (const { at, type, task, message, cursor } of feed) {
    process.stdout.write(`${at} ${task.name}: ${type} ${message ?? ''}\n`);
    if (file !== undefined) await keep(file, cursor);
  }
} catch (error) {
  const advice = error instanceof CursorExpired ? `; remove ${file} to begin from now` : '';
  process.stderr.write(`${error instanceof Error ? error.message : error}${advice}\n`);
  process.exitCode = 1;
}
