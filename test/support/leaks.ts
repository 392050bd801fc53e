// Fails a test file that leaves child processes behind; connections are checked where a test database is closed.
import { readdir, readFile } from 'node:fs/promises';
import { afterAll } from 'vitest';

const EXIT_WITHIN_MS = 5_000;

// Registered before the file's own hooks, so it runs after them.
afterAll(async () => {
  const deadline = Date.now() + EXIT_WITHIN_MS;
  for (;;) {
    const children = await childProcesses();
    if (children.length === 0) return;
    if (Date.now() > deadline) throw new Error(`child processes were left behind: ${children.join('; ')}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
});

/** The command lines of this process' children; none where the system does not tell (other than Linux). */
async function childProcesses(): Promise<string[]> {
  const threads = await readdir('/proc/self/task').catch(() => []);
  const lists = await Promise.all(
    threads.map((thread) => readFile(`/proc/self/task/${thread}/children`, 'utf8').catch(() => '')),
  );
  const ids = lists.flatMap((list) => list.split(' ')).filter((id) => id !== '');
  return Promise.all(
    ids.map(async (id) => {
      const line = await readFile(`/proc/${id}/cmdline`, 'utf8').catch(() => '');
      return `${id} ${line.replaceAll('\0', ' ').trim()}`;
    }),
  );
}
