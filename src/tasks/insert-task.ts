import type { EntityManager } from '@mikro-orm/postgresql';
import type { RepeatRule } from '../calendar/schedule.ts';
import { RepeatItem, ScheduleVersion, Task } from '../entities/index.ts';
import { columnsOfRule } from '../entities/repeat-item.ts';
import { pointersAt } from '../scheduling/schedule-change.ts';
import type { PolicyColumns } from './policy.ts';

/** A task with checked values. */
interface CheckedTask {
  name: string;
  className: string;
  /** JSON text. */
  data: string | null;
  active: boolean;
  ownerId: number;
  timeZone: string;
  rules: RepeatRule[];
  policy: PolicyColumns;
}

/** What an imported task brings along: ids that were never used here, and a version. */
export interface KnownTask {
  id?: number;
  version?: number;
  /** Of the repeat items, in the order of the rules. */
  itemIds?: readonly number[] | null;
}

/**
 * Adds a task that is due from `now` on, and returns its id. Each a statement of its own, without a unit of work: nothing
 * of it is read again. The log is the caller's to tell.
 */
export async function insertTask(
  em: EntityManager,
  { rules, policy, ownerId, ...columns }: CheckedTask,
  now: Date,
  { itemIds = null, ...known }: KnownTask = {},
): Promise<number> {
  const { timeZone, active } = columns;
  const task = await em.insert(Task, {
    ...known,
    ...columns,
    owner: ownerId,
    createdAt: now,
    updatedAt: now,
    ...policy,
    ...pointersAt({ rules, timeZone, active }, now),
  });
  if (rules.length > 0) {
    await em.insertMany(
      RepeatItem,
      rules.map((rule, index) => ({
        ...(itemIds === null ? {} : { id: itemIds[index] }),
        task,
        ...columnsOfRule(rule),
      })),
    );
  }
  await em.insert(ScheduleVersion, { task, rules, timeZone, active, validFrom: now });
  return task;
}
