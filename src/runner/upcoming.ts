// The slots to come, of all tasks together.
import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { readSnapshot } from '../database/snapshot.ts';
import { compileSchedule, type DstNote, type RepeatRule, type Schedule } from './calendar.ts';

export interface UpcomingSlot {
  taskId: number;
  at: Date;
  timeZone: string;
  dstNote: DstNote | null;
}

interface NextSlot {
  id: number;
  time_zone: string;
  rules: RepeatRule[];
  next: number;
}

const TASKS_AT_ONCE = 1_000;

/**
 * The first `count` slots in [from, to) that are still to come, earliest first. Any of them belongs to one of the `count`
 * tasks that are due first, so no more tasks than that are looked at, unless many are due before `from`.
 */
export function readUpcoming(em: EntityManager, from: Date, to: Date, count: number): Promise<UpcomingSlot[]> {
  return readSnapshot(em, async (database) => {
    const found = new Upcoming(from, to, count);
    for (let last = { next: 0, id: 0 }; ; ) {
      const { rows } = await sql<NextSlot>`
        select task.id, v.time_zone, v.rules, (extract(epoch from next_run_at) * 1000)::float8 as next
        from task join schedule_version v on v.task_id = task.id and v.valid_to is null
        where next_run_at < ${to} and (next_run_at, task.id) > (to_timestamp(${last.next / 1_000}), ${last.id})
        order by next_run_at, task.id limit ${TASKS_AT_ONCE}
      `.execute(database);
      for (const row of rows) {
        // Tasks come in the order of their next slots: those that follow have no earlier one.
        if (found.isFullBefore(row.next)) return found.slots();
        found.add(row);
      }
      const end = rows.at(-1);
      if (end === undefined || rows.length < TASKS_AT_ONCE) return found.slots();
      last = end;
    }
  });
}

/** The earliest slots so far, kept in order and cut to the count that is wanted. */
class Upcoming {
  readonly #after: Date;
  readonly #until: Date;
  readonly #count: number;
  #slots: (UpcomingSlot & { schedule: Schedule })[] = [];

  constructor(from: Date, to: Date, count: number) {
    this.#after = new Date(from.getTime() - 1);
    this.#until = new Date(to.getTime() - 1);
    this.#count = count;
  }

  isFullBefore(instant: number): boolean {
    const last = this.#slots.at(-1);
    return this.#slots.length >= this.#count && last !== undefined && instant > last.at.getTime();
  }

  add({ id, time_zone, rules, next }: NextSlot): void {
    const schedule = compileSchedule(rules, time_zone);
    const last = this.#slots.length < this.#count ? undefined : this.#slots.at(-1)?.at;
    const until = last ?? this.#until;
    // What is due already is being fired, and not to come before its pointer.
    const after = new Date(Math.max(this.#after.getTime(), next - 1));
    const slots = schedule.slots(after, until, this.#count);
    if (slots.length === 0) return;
    this.#slots.push(...slots.map((at) => ({ taskId: id, at, timeZone: time_zone, dstNote: null, schedule })));
    this.#slots.sort((left, right) => left.at.getTime() - right.at.getTime() || left.taskId - right.taskId);
    this.#slots.length = Math.min(this.#slots.length, this.#count);
  }

  slots(): UpcomingSlot[] {
    return this.#slots.map(({ schedule, ...slot }) => ({ ...slot, dstNote: schedule.dstNote(slot.at) }));
  }
}
