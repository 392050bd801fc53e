// The history of the old tasks. Each task's is stored in a transaction of its own, and before the tasks: killed at any
// point, what is stored is whole and shown by nothing yet, and the next import goes on with what is missing.
import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { moveSequence } from '../database/sequence.ts';
import { inTransaction } from '../database/transaction.ts';
import { type OldHistoryRow, readOldHistory } from './old-history.ts';
import type { OldServer } from './old-server.ts';
import type { OldTask } from './old-task.ts';
import type { ImportPlan } from './plan.ts';

/** Rows of one statement. */
const BATCH = 5_000;

export interface HistoryOptions {
  /** The zone of the old server's clock. */
  timeZone: string;
  /** Counts alone. */
  isDry: boolean;
  /** Is told after each task. */
  onTask(done: number, rows: number): void;
}

export interface ImportedHistory {
  /** Rows that the old server told, and those of them that were not here. */
  rows: number;
  added: number;
  /** The names of users, by their ids there; the newest of each. */
  userNames: Map<number, string>;
}

/**
 * The tasks whose history is theirs here: those that are to be added or are here as they were there. One that is here
 * otherwise may be another task of the same id, unless some of its history came in before.
 */
export async function tasksWithHistory(em: EntityManager, { tasks }: ImportPlan): Promise<OldTask[]> {
  const doubtful = tasks.filter(({ verdict }) => verdict === 'DIFFERS').map(({ task }) => task.id);
  const { rows } = await sql<{ id: number }>`
    select id from unnest(${doubtful}::int[]) as doubtful (id)
    where exists (select from imported_log where task_id = doubtful.id)
  `.execute(em.getKysely());
  const known = new Set(rows.map(({ id }) => id));
  return tasks
    .filter(({ task, verdict }) => verdict === 'ADD' || verdict === 'SAME' || known.has(task.id))
    .map(({ task }) => task);
}

/** Reads the history of each of the tasks, one after the other, and stores what of it is not here. */
export async function importHistory(
  em: EntityManager,
  server: OldServer,
  tasks: readonly OldTask[],
  { timeZone, isDry, onTask }: HistoryOptions,
): Promise<ImportedHistory> {
  const sum: ImportedHistory = { rows: 0, added: 0, userNames: new Map() };
  // Or whoever adds a task, where an import was killed before it added its own, would be given the history of another.
  const highest = tasks.reduce((most, { id }) => Math.max(most, id), 0);
  if (!isDry) await moveSequence(em.fork(), 'task', highest);
  let done = 0;
  for (const { id } of tasks) {
    const rows = readOldHistory(id, await server.getTaskHistory(id));
    noteNames(sum.userNames, rows);
    sum.rows += rows.length;
    sum.added += isDry ? rows.length - (await countKnown(em.fork(), id, rows)) : await store(em, id, rows, timeZone);
    done += 1;
    onTask(done, sum.rows);
  }
  return sum;
}

/** Rows come newest first, so the first name of a user is the newest. */
function noteNames(names: Map<number, string>, rows: readonly OldHistoryRow[]): void {
  for (const { userId, username } of rows) {
    if (userId !== null && username !== null && username !== '' && !names.has(userId)) names.set(userId, username);
  }
}

async function countKnown(em: EntityManager, taskId: number, rows: readonly OldHistoryRow[]): Promise<number> {
  const { rows: found } = await sql<{ known: number }>`
    select count(*) as known from imported_log where task_id = ${taskId} and id = any(${rows.map(({ id }) => id)}::bigint[])
  `.execute(em.getKysely());
  return found[0]?.known ?? 0;
}

/** Of two imports at once, one stores a row and the other finds it: the primary key sees to that. Returns how many it stored. */
function store(em: EntityManager, taskId: number, rows: readonly OldHistoryRow[], timeZone: string): Promise<number> {
  return inTransaction(em, async (transaction) => {
    let added = 0;
    for (let from = 0; from < rows.length; from += BATCH) {
      const batch = JSON.stringify(rows.slice(from, from + BATCH));
      const { rows: stored } = await sql`
        insert into imported_log (task_id, id, at, level, category, message, user_id, username, ip)
        select ${taskId}, id, time at time zone ${timeZone}, level, category, message, "userId", username, ip
        from json_to_recordset(${batch}::json) as e (
          id bigint, time timestamp, level text, category text, message text, "userId" int, username text, ip text)
        order by id
        on conflict do nothing returning 1
      `.execute(transaction.getKysely());
      added += stored.length;
    }
    await continueNumbers(transaction, rows);
    return added;
  });
}

/** To an old caller log_id only ever grows, so what happens here is numbered after what happened there. */
async function continueNumbers(em: EntityManager, rows: readonly OldHistoryRow[]): Promise<void> {
  const highest = rows.reduce((most, { id }) => Math.max(most, id), 0);
  if (highest === 0) return;
  // Nobody may take a number between the look at the sequence and its move. Short, and the last that this transaction does.
  await sql`lock table event in share row exclusive mode`.execute(em.getKysely());
  await moveSequence(em, 'event', highest);
}
