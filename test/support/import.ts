// What tests of `npm run import` share: an old server, and the command in a process of its own.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ADMIN, MASTER_KEY, type TestApp } from './app.ts';
import { spawnSlotkeeper } from './command-line.ts';
import type { TestDatabase } from './database.ts';

/** A repeat item as the page of the old API shows it. */
export const item = (id: string, weekday: string, hour: string) => ({
  id,
  task_id: '1',
  repeat_start: '2015-05-06',
  repeat_end: null,
  repeat_interval: null,
  repeat_year: '*',
  repeat_month: '*',
  repeat_day: '*',
  repeat_week: '*',
  repeat_weekday: weekday,
  repeat_hour: hour,
  repeat_minute: '0',
});

/** A row of getTasks. */
export const taskRow = (id: number, change: object = {}) => ({
  id: String(id),
  user_id: '31',
  name: `Task ${id}`,
  class_name: '\\scheduler\\Tasks\\TestTask',
  active: true,
  data: null,
  last_run: null,
  repeat_items: [] as object[],
  ...change,
});

/** A row of getTaskHistory. */
export const logRow = (id: number | string, time: string, message: string, user: object = {}) => ({
  log_id: String(id),
  time,
  log_level: '6',
  user_id: '31',
  username: 'usernamehere',
  log_category: 'System',
  message,
  ip: null,
  ...user,
});

export const listOf = (...data: object[]) => ({ success: 1, data });

/** What an old server answers, by action; a function may make it for the task that is asked for. */
type Replies = Record<string, unknown>;
type ReplyOf = (taskId: number) => unknown;

const servers: ReturnType<typeof createServer>[] = [];

/** An old server that answers each action with what it is given; the address of its api.php. */
export async function oldServer(replies: Replies): Promise<string> {
  const server = createServer(async (request, response) => {
    const { searchParams } = new URL(request.url ?? '', 'http://old');
    const given = replies[searchParams.get('action') ?? ''];
    const reply = typeof given === 'function' ? await (given as ReplyOf)(Number(searchParams.get('taskId'))) : given;
    response.end(typeof reply === 'string' ? reply : JSON.stringify(reply));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  servers.push(server);
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v1/api.php`;
}

export function closeOldServers(): void {
  for (const server of servers.splice(0)) server.close();
}

export function spawnImport({ url }: TestDatabase, from: string, args: string[] = [], { key, secret } = ADMIN) {
  const settings = { DATABASE_URL: url, MASTER_KEY: MASTER_KEY.toString('hex') };
  return spawnSlotkeeper(['import', '--from', from, '--key', key, ...args], { settings, input: secret });
}

/** An import that is under way: what it has said so far, and how it ends. */
export function startImport(database: TestDatabase, from: string, args: string[] = [], credentials = ADMIN) {
  const child = spawnImport(database, from, args, credentials);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  const done = once(child, 'close').then(([code]) => ({ code: code as number, output }));
  return { done, output: () => output };
}

export function runImport(database: TestDatabase, from: string, args: string[] = [], credentials = ADMIN) {
  return startImport(database, from, args, credentials).done;
}

export interface HistoryReply {
  success: number;
  data?: { log_id: string; message: string; user_id: string | null }[];
}

/** The reply of getTaskHistory. */
export async function historyOf(server: TestApp, taskId: number): Promise<HistoryReply> {
  return JSON.parse(await server.legacy(`target=scheduler&action=getTaskHistory&taskId=${taskId}`)) as HistoryReply;
}
