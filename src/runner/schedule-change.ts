import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { ScheduleVersion, type Task } from '../entities/index.ts';
import { compileSchedule, type RepeatRule } from './calendar.ts';

/** What a task is due by. */
export interface NewSchedule {
  rules: RepeatRule[];
  timeZone: string;
  active: boolean;
}

/**
 * Makes the task due by another schedule from `now` on: the version before ends there and is kept. The caller holds the
 * task's row lock and has settled the slots up to `now` (see `lockAndSettle`), or has just created the task; it
 * flushes afterwards.
 */
export async function switchSchedule(em: EntityManager, task: Task, schedule: NewSchedule, now: Date): Promise<void> {
  await sql`
    update schedule_version set valid_to = ${now} where task_id = ${task.id} and valid_to is null
  `.execute(em.getKysely());
  const { rules, timeZone, active } = schedule;
  const expectsSlots = active && !task.deletedAt;
  em.create(ScheduleVersion, { task, rules, timeZone, active: expectsSlots, validFrom: now });
  const compiled = compileSchedule(rules, timeZone);
  task.timeZone = timeZone;
  task.active = active;
  task.nextRunAt = expectsSlots ? compiled.next(now) : null;
  task.followingOf = task.nextRunAt;
  task.followingRunAt = task.nextRunAt ? compiled.next(task.nextRunAt) : null;
}

/** The rules that the task is due by at present. */
export async function currentRules(em: EntityManager, task: Task): Promise<RepeatRule[]> {
  const version = await em.findOneOrFail(ScheduleVersion, { task, validTo: null });
  return version.rules;
}
