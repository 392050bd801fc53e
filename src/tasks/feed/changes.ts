// What a task is after something changed about it, and which filters it meets then.
import type { EntityManager } from '@mikro-orm/postgresql';
import { type RawBuilder, sql } from 'kysely';
import { type Row, readRows } from '../../database/rows.ts';
import type { Position } from '../../events/cursor.ts';
import type { LoggedEvent } from '../../events/tail.ts';
import { type TaskFilter, whereTask } from '../filter.ts';

export type TaskRow = Row<'task'>;

/** What a feed tells: pages of the tasks that were there when it began, then what changes about them. */
export type TaskFeedItem =
  | { type: 'SNAPSHOT'; cursor: string; tasks: TaskRow[]; isLast: boolean }
  | { type: 'CHANGED'; cursor: string; task: TaskRow; entered: boolean | null }
  | { type: 'LEFT_FILTER' | 'REMOVED'; cursor: string; task: TaskRow };

/** Tasks that one query looks up. */
export const AT_ONCE = 1_000;
/** Filters that one query applies. */
const FILTERS_AT_ONCE = 50;

/** null is every live task. */
export type Filter = TaskFilter | null;

/** That a task may have changed, with the row as it was read after that. One object serves all members. */
export class TaskChange implements Position {
  readonly seq: number;
  readonly mark: string | null;
  readonly event: LoggedEvent;
  readonly task: TaskRow;
  /** Whether the task meets a filter, by the filter's key; a filter that came later was not asked about. */
  readonly meets: ReadonlyMap<string, boolean>;
  readonly #items = new Map<string, TaskFeedItem>();

  constructor(event: LoggedEvent, task: TaskRow, meets: ReadonlyMap<string, boolean>) {
    this.seq = event.seq;
    this.mark = event.mark;
    this.event = event;
    this.task = task;
    this.meets = meets;
  }

  /** The same object for the same question, so that equal subscriptions are executed once. */
  changed(entered: boolean | null): TaskFeedItem {
    return this.#once(`changed ${entered}`, {
      type: 'CHANGED',
      cursor: this.event.cursor,
      task: this.task,
      entered,
    });
  }

  gone(): TaskFeedItem {
    const type = this.task.deleted_at === null ? 'LEFT_FILTER' : 'REMOVED';
    return this.#once('gone', { type, cursor: this.event.cursor, task: this.task });
  }

  #once(name: string, item: TaskFeedItem): TaskFeedItem {
    const known = this.#items.get(name);
    if (known === undefined) this.#items.set(name, item);
    return known ?? item;
  }
}

/** Fails for a filter that the database refuses: here, and not where all are applied together. */
export async function tryFilter(em: EntityManager, filter: Filter): Promise<void> {
  await sql`select ${whereMeets(em, filter)} from task as changed where false`.execute(readRows(em.fork()));
}

/** In the order of the events, of which there is one for each task. */
export async function readChanges(
  em: EntityManager,
  events: ReadonlyMap<number, LoggedEvent>,
  filters: ReadonlyMap<string, Filter>,
): Promise<TaskChange[]> {
  const ids = [...events.keys()];
  const changes: TaskChange[] = [];
  for (let from = 0; from < ids.length; from += AT_ONCE) {
    const some = ids.slice(from, from + AT_ONCE);
    const met = new Map<number, { task: TaskRow; meets: Map<string, boolean> }>();
    const keys = [...filters.keys()];
    for (let first = 0; first < keys.length; first += FILTERS_AT_ONCE) {
      await readMet(em, some, keys.slice(first, first + FILTERS_AT_ONCE), filters, met);
    }
    for (const [id, { task, meets }] of met) {
      const event = events.get(id);
      if (event !== undefined) changes.push(new TaskChange(event, task, meets));
    }
  }
  return changes.sort((left, right) => left.seq - right.seq);
}

async function readMet(
  em: EntityManager,
  ids: readonly number[],
  keys: readonly string[],
  filters: ReadonlyMap<string, Filter>,
  met: Map<number, { task: TaskRow; meets: Map<string, boolean> }>,
): Promise<void> {
  const conditions = keys.map((key) => whereMeets(em, filters.get(key) ?? null));
  const { rows } = await sql<TaskRow & { met: boolean[] }>`
    select changed.*, array[${sql.join(conditions)}] as met from task as changed where changed.id = any(${ids})
  `.execute(readRows(em.fork()));
  for (const { met: answers, ...task } of rows) {
    const known = met.get(task.id) ?? { task, meets: new Map<string, boolean>() };
    for (const [index, key] of keys.entries()) known.meets.set(key, answers[index] ?? false);
    met.set(task.id, known);
  }
}

/** That the task of the outer query meets the filter. */
function whereMeets(em: EntityManager, filter: Filter): RawBuilder<boolean> {
  const tasks = readRows(em.fork()).selectFrom('task').select('task.id');
  // Not `exists`: for many changes PostgreSQL may answer that by reading all tasks that meet the filter.
  return sql<boolean>`(${whereTask(tasks, filter).where(sql<boolean>`task.id = changed.id`)}) is not null`;
}
