// Reads the rules of many tasks by one query.

import type { EntityManager } from '@mikro-orm/postgresql';
import { createContextCache } from '@pothos/core';
import DataLoader from 'dataloader';
import { CompiledQuery } from 'kysely';
import { PREPARED_MARK, readOften } from '../../database/prepared.ts';
import { knownColumns } from '../../database/rows.ts';
import { RepeatItem } from '../../entities/repeat-item.ts';
import type { Context } from '../context.ts';
import type { RepeatItemRow, TaskRow } from '../refs.ts';

let findItems: string | undefined;

/** The rules in id order, for each task in the given order. */
async function itemsOfTasks(em: EntityManager, taskIds: readonly number[]): Promise<RepeatItemRow[][]> {
  findItems ??= `${PREPARED_MARK} select ${knownColumns(em, RepeatItem)} from repeat_item
    where task_id = any($1::int[]) order by id`;
  const rows = await readOften(em, CompiledQuery.raw(findItems, [taskIds]) as CompiledQuery<RepeatItemRow>);
  const items = new Map<number, RepeatItemRow[]>(taskIds.map((id) => [id, []]));
  for (const row of rows) items.get(row.task_id)?.push(row);
  return taskIds.map((id) => items.get(id) ?? []);
}

/** Reads the items of tasks ahead of their fields, so that no field waits for them on its own. */
export async function addRepeatItems(em: EntityManager, tasks: readonly TaskRow[]): Promise<void> {
  if (tasks.length === 0) return;
  const items = await itemsOfTasks(
    em,
    tasks.map(({ id }) => id),
  );
  for (const [index, task] of tasks.entries()) task.repeat_items = items[index] ?? [];
}

/** Those of one tick by one query; nothing is kept. */
const loaderOf = createContextCache(
  ({ em }: Context) => new DataLoader((taskIds: readonly number[]) => itemsOfTasks(em, taskIds), { cache: false }),
);

/** The items of one task among many. */
export function loadRepeatItems(context: Context, taskId: number): Promise<RepeatItemRow[]> {
  return loaderOf(context as Context & object).load(taskId);
}
