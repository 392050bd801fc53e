// Makes the dump of a version: `npm run dump-version` for this one, at each release, before its tag.
// `node test/upgrades/make.ts VERSION FOLDER` makes that of another one, of which FOLDER has the sources and packages; what
// that version does not know yet is left out, and said.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import pg from 'pg';
import { readProductVersion } from '../../src/backup/product-version.ts';
import { startEmbedded } from '../../src/database/embedded.ts';
import type { TestApp } from '../support/app.ts';
import { type AppProcess, startProcess } from '../support/process.ts';
import { startReceiver } from '../support/receiver.ts';
import { type Dump, readDatabase, writeDump } from './dump.ts';
import { type Attempt, addOutage, Filler } from './fill.ts';
import { type Question, questionsFor } from './questions.ts';
import { BEHAVIOURS } from './tasks.ts';

/** In an installation that knows all that we fill it with. */
const ALL_STATES = ['CANCELLED', 'FAILED', 'QUEUED', 'RUNNING', 'SKIPPED', 'SUCCEEDED'];

const [version = await readProductVersion(), tree] = process.argv.slice(2);
const program = resolve(tree ?? join(import.meta.dirname, '../..'), 'src/main.ts');
const say = (message: string) => process.stderr.write(`${message}\n`);

/** This version knows everything; an older one may not. */
const attempt: Attempt = async (what, step) => {
  try {
    return await step();
  } catch (error) {
    if (tree === undefined) throw new Error(`${what}: ${error}`);
    say(`left out: ${what.replaceAll(/\s+/g, ' ').slice(0, 100)}: ${String(error).slice(0, 120)}`);
    return null;
  }
};

async function kill({ child }: AppProcess): Promise<void> {
  const gone = new Promise((done) => child.once('exit', done));
  child.kill('SIGKILL');
  await gone;
}

async function make(url: string, client: pg.Client, receiver: string): Promise<Dump> {
  const start = (settings: Record<string, string> = {}) =>
    startProcess(url, { HTTP_ALLOW_PRIVATE: '127.0.0.1', ...settings }, program);
  const first = await start();
  const filler = new Filler(first, attempt);
  await filler.fill(receiver);
  await first.stop();
  await addOutage(client);
  const second = await start();
  await untilCaughtUp(client);
  await filler.leaveUnfinished(second);
  // Without a chance to hand back what it does: the next version finds it under way.
  await kill(second);
  const gateway = await start({ ROLE: 'gateway' });
  try {
    const { rows } = await client.query<{ from: Date; to: Date; tasks: number[] }>(
      `select now() - interval '4 hours' as from, now() as to, (select array_agg(id order by id) from task) as tasks`,
    );
    const [{ from, to, tasks } = never()] = rows;
    const period = { from: wholeMinute(from), to: wholeMinute(to) };
    const answers = await ask(gateway, questionsFor(tasks, period.from, period.to));
    const { events } = await gateway.query<{ events: { edges: { cursor: string }[] } }>(
      '{ events(last: 1) { edges { cursor } } }',
    );
    const [{ cursor } = never()] = events.edges;
    return { version, ...(await readDatabase(client)), period, cursor, answers };
  } finally {
    await gateway.stop();
  }
}

async function ask(app: TestApp, questions: readonly Question[]): Promise<Dump['answers']> {
  const answers: Dump['answers'] = [];
  for (const question of questions) {
    const { graphql, legacy = '' } = question;
    const answer = await attempt(graphql ?? legacy, () =>
      graphql === undefined ? app.legacy(legacy) : app.query(graphql),
    );
    if (answer !== null) answers.push({ ...question, answer });
  }
  return answers;
}

async function untilCaughtUp(client: pg.Client): Promise<void> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const { rows } = await client.query('select id from task where next_run_at <= now()');
    if (rows.length === 0) return;
    if (Date.now() > deadline) throw new Error('what was due is not fired');
    await new Promise((done) => setTimeout(done, 100));
  }
}

async function check(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ states: string[]; gaps: number }>(
    'select array(select distinct state from run order by state) as states, (select count(*)::int from slot_gap) as gaps',
  );
  say(JSON.stringify(rows[0]));
  if (rows[0]?.states.join() !== ALL_STATES.join()) throw new Error('runs in some states are missing');
}

function wholeMinute(at: Date): string {
  return `${at.toISOString().slice(0, 16)}:00.000Z`;
}

function never(): never {
  throw new Error('there is no such row');
}

const folder = await mkdtemp(join(tmpdir(), 'slotkeeper-dump-'));
const server = await startEmbedded({ dataDir: folder, log: () => undefined, settings: { fsync: 'off' } });
const receiver = await startReceiver(BEHAVIOURS);
const client = new pg.Client({ connectionString: server.url });
try {
  await client.connect();
  const dump = await make(server.url, client, `http://127.0.0.1:${receiver.port}`);
  await check(client);
  say(`${version}: ${await writeDump(dump)} bytes, ${dump.answers.length} answers`);
} finally {
  await client.end();
  await receiver.close();
  await server.release();
  await rm(folder, { recursive: true });
}
