// The future slots of all tasks together.
import { setImmediate as otherWork } from 'node:timers/promises';
import type { EntityManager } from '@mikro-orm/postgresql';
import { type Kysely, sql } from 'kysely';
import { compileSchedule, type DstNote, type RepeatRule, type Schedule } from '../calendar/schedule.ts';
import type { ReadTables } from '../database/rows.ts';
import { readSnapshot } from '../database/snapshot.ts';
import { millisecondsOf } from '../database/timestamp.ts';

export interface UpcomingSlot {
  taskId: number;
  at: Date;
  timeZone: string;
  dstNote: DstNote | null;
}

/** Tasks that share a schedule, in id order. */
interface Sharers {
  ids: number[];
  time_zone: string;
  rules: RepeatRule[];
}

interface NextSlot extends Sharers {
  /** Milliseconds since 1970. */
  next: number;
}

/** Different schedules whose slots one question may ask for, a tenth of a millisecond each. */
export const MAX_SCHEDULES = 10_000;
const TASKS_AT_ONCE = 1_000;
/** Schedules that are looked at before other requests get their turn. */
const SCHEDULES_AT_ONCE = 100;

/**
 * The first `count` future slots in [from, to), earliest first; null if tasks with more than MAX_SCHEDULES different
 * schedules are due before `from`, since each of these must be computed. Tasks that are due later are read in the order
 * of their next slots, so at most `count` of them are needed. Of the others, any may have the first slot; tasks that
 * share a schedule are computed together.
 */
export function readUpcoming(em: EntityManager, from: Date, to: Date, count: number): Promise<UpcomingSlot[] | null> {
  return readSnapshot(em, async (database) => {
    const found = new Upcoming(to, count);
    if (!(await addDueBefore(database, from, found))) return null;
    await addDueFrom(database, from, to, found);
    return found.slots();
  });
}

/** False if there are too many schedules. */
async function addDueBefore(database: Kysely<ReadTables>, from: Date, found: Upcoming): Promise<boolean> {
  const { rows } = await sql<Sharers>`
    select v.time_zone, v.rules, (array_agg(task.id order by task.id))[1:${found.count}] as ids
    from task join schedule_version v on v.task_id = task.id and v.valid_to is null
    where task.next_run_at < ${from}
    group by v.time_zone, v.rules limit ${MAX_SCHEDULES + 1}
  `.execute(database);
  if (rows.length > MAX_SCHEDULES) return false;
  for (const [index, row] of rows.entries()) {
    if (index % SCHEDULES_AT_ONCE === SCHEDULES_AT_ONCE - 1) await otherWork();
    found.add(row, from);
  }
  return true;
}

async function addDueFrom(database: Kysely<ReadTables>, from: Date, to: Date, found: Upcoming): Promise<void> {
  for (let last = { next: from.getTime(), id: 0 }; ; ) {
    const { rows } = await sql<NextSlot>`
      select array[task.id] as ids, v.time_zone, v.rules, ${millisecondsOf('next_run_at')} as next
      from task join schedule_version v on v.task_id = task.id and v.valid_to is null
      where next_run_at < ${to} and (next_run_at, task.id) > (to_timestamp(${last.next / 1_000}), ${last.id})
      order by next_run_at, task.id limit ${TASKS_AT_ONCE}
    `.execute(database);
    for (const row of rows) {
      // Tasks come in the order of their next slots, so no later task has an earlier one.
      if (found.isFullBefore(row.next)) return;
      found.add(row, new Date(row.next));
    }
    const end = rows.at(-1);
    if (end === undefined || rows.length < TASKS_AT_ONCE) return;
    last = { next: end.next, id: end.ids[0] ?? 0 };
  }
}

/** The earliest slots so far, kept in order and cut to the count that is wanted. */
class Upcoming {
  readonly count: number;
  readonly #until: Date;
  #slots: (UpcomingSlot & { schedule: Schedule })[] = [];

  constructor(to: Date, count: number) {
    this.count = count;
    this.#until = new Date(to.getTime() - 1);
  }

  isFullBefore(instant: number): boolean {
    const last = this.#slots.at(-1);
    return this.#slots.length >= this.count && last !== undefined && instant > last.at.getTime();
  }

  /** The slots at `from` or later. Slots that are already due are being fired and do not count. */
  add({ ids, time_zone, rules }: Sharers, from: Date): void {
    const schedule = compileSchedule(rules, time_zone);
    const last = this.#slots.length < this.count ? undefined : this.#slots.at(-1)?.at;
    const slots = schedule.slots(new Date(from.getTime() - 1), last ?? this.#until, Math.ceil(this.count / ids.length));
    if (slots.length === 0) return;
    for (const at of slots) {
      this.#slots.push(...ids.map((taskId) => ({ taskId, at, timeZone: time_zone, dstNote: null, schedule })));
    }
    this.#slots.sort((left, right) => left.at.getTime() - right.at.getTime() || left.taskId - right.taskId);
    this.#slots.length = Math.min(this.#slots.length, this.count);
  }

  slots(): UpcomingSlot[] {
    return this.#slots.map(({ schedule, ...slot }) => ({ ...slot, dstNote: schedule.dstNote(slot.at) }));
  }
}
