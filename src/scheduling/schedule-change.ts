import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import type { NewSchedule } from '../calendar/repeat-rule.ts';
import { compileSchedule, type RepeatRule } from '../calendar/schedule.ts';
import { ScheduleVersion, type Task } from '../entities/index.ts';

/** The pointers of a task that is due by `rules` from `now` on; null if it expects no slots. */
export function pointersAt({ rules, timeZone, active }: NewSchedule, now: Date) {
  const compiled = compileSchedule(rules, timeZone);
  const nextRunAt = active ? compiled.next(now) : null;
  return { nextRunAt, followingOf: nextRunAt, followingRunAt: nextRunAt ? compiled.next(nextRunAt) : null };
}

/**
 * Makes the task due by another schedule from `now` on: the version before ends there and is kept. The caller holds the
 * task's row lock and has settled the slots up to `now` (see `lockAndSettle`); it flushes afterwards.
 */
export async function switchSchedule(em: EntityManager, task: Task, schedule: NewSchedule, now: Date): Promise<void> {
  await sql`
    update schedule_version set valid_to = ${now} where task_id = ${task.id} and valid_to is null
  `.execute(em.getKysely());
  const { rules, timeZone, active } = schedule;
  const expectsSlots = active && !task.deletedAt;
  em.create(ScheduleVersion, { task, rules, timeZone, active: expectsSlots, validFrom: now });
  Object.assign(task, { timeZone, active }, pointersAt({ rules, timeZone, active: expectsSlots }, now));
}

/** The rules that the task is due by at present. */
export async function currentRules(em: EntityManager, task: Task): Promise<RepeatRule[]> {
  const version = await em.findOneOrFail(ScheduleVersion, { task, validTo: null });
  return version.rules;
}
