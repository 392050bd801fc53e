// The history of the old tasks. Each task's history is stored in a transaction of its own, before the tasks: if the
// import is killed, each stored history is complete and invisible until its task exists, and the next import continues
// with the rest.
import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { moveSequence } from '../database/sequence.ts';
import { inTransaction } from '../database/transaction.ts';
import { continueNumbers, countRepeated, lastNumber } from './log-numbers.ts';
import { type OldHistoryRow, readOldHistory } from './old-history.ts';
import type { OldServer } from './old-server.ts';
import type { OldTask } from './old-task.ts';
import { NewestNames } from './user-names.ts';

/** Rows of one statement. */
const BATCH = 5_000;

interface HistoryOptions {
  /** The zone of the old server's clock. */
  timeZone: string;
  /** Counts alone. */
  isDry: boolean;
  /** Called after each task. */
  onTask(done: number, rows: number): void;
  /** Called if other transactions hold the lock. */
  say(message: string): void;
}

interface ImportedHistory {
  /** The rows of the old server, and how many of them were not here. */
  rows: number;
  added: number;
  /** How many of those have the number of an event of their task here. */
  repeated: number;
  /** The names of users, by their ids there; the newest of each. */
  userNames: Map<number, string>;
}

/** Reads the history of the tasks, one after the other, and stores the rows that are missing. */
export async function importHistory(
  em: EntityManager,
  server: OldServer,
  tasks: readonly OldTask[],
  options: HistoryOptions,
): Promise<ImportedHistory> {
  const names = new NewestNames();
  const sum = { rows: 0, added: 0, repeated: 0 };
  // Otherwise a task that is added after a killed import would get the history of another.
  const highest = highestId(tasks);
  if (!options.isDry) await moveSequence(em.fork(), 'task', highest);
  const given = await lastNumber(em.fork());
  let done = 0;
  for (const { id } of tasks) {
    const rows = readOldHistory(id, await server.getTaskHistory(id));
    names.note(rows);
    const added = options.isDry ? await findMissing(em.fork(), id, rows) : await store(em, id, rows, options);
    const doubtful = added.filter((logId) => logId <= given);
    sum.rows += rows.length;
    sum.added += added.length;
    sum.repeated += await countRepeated(em.fork(), id, doubtful);
    done += 1;
    options.onTask(done, sum.rows);
  }
  return { ...sum, userNames: names.all() };
}

const highestId = (rows: readonly { id: number }[]) => rows.reduce((most, { id }) => Math.max(most, id), 0);

/** The numbers of the rows that are missing here. */
async function findMissing(em: EntityManager, taskId: number, rows: readonly OldHistoryRow[]): Promise<number[]> {
  const { rows: missing } = await sql<{ id: string }>`
    select id from unnest(${rows.map(({ id }) => id)}::bigint[]) as told (id)
    where not exists (select from imported_log where task_id = ${taskId} and imported_log.id = told.id)
  `.execute(em.getKysely());
  return missing.map(({ id }) => Number(id));
}

/**
 * Returns the numbers of the rows that it stored. Of two imports at once, one stores a row and the other finds it: the
 * primary key sees to that.
 */
async function store(
  em: EntityManager,
  taskId: number,
  rows: readonly OldHistoryRow[],
  { timeZone, say }: HistoryOptions,
): Promise<number[]> {
  await continueNumbers(em, taskId, highestId(rows), { say });
  return inTransaction(em, async (transaction) => {
    const added: number[] = [];
    for (let from = 0; from < rows.length; from += BATCH) {
      const batch = JSON.stringify(rows.slice(from, from + BATCH));
      const { rows: stored } = await sql<{ id: string }>`
        insert into imported_log (task_id, id, at, level, category, message, user_id, username, ip)
        select ${taskId}, id, time at time zone ${timeZone}, level, category, message, "userId", username, ip
        from json_to_recordset(${batch}::json) as e (
          id bigint, time timestamp, level text, category text, message text, "userId" int, username text, ip text)
        order by id
        on conflict do nothing returning id
      `.execute(transaction.getKysely());
      for (const { id } of stored) added.push(Number(id));
    }
    return added;
  });
}
