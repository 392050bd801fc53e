import type { EntityManager } from '@mikro-orm/postgresql';
import { readRows } from '../database/rows.ts';
import { notFound } from '../lib/faults.ts';
import { readGlobalId } from '../lib/global-id.ts';
import { builder } from './builder.ts';

export type TaskBy = { id: string; legacyId?: never } | { legacyId: number; id?: never };

/** Which task, by either of its ids. */
export const TaskByInput = builder.inputType('TaskBy', {
  description: 'Which task, by one of its ids.',
  isOneOf: true,
  fields: (t) => ({
    id: t.id({ description: 'Its id in this API.' }),
    legacyId: t.int({ description: 'Its id in the old API.' }),
  }),
});

/** The database id that `by` says, of a task that need not exist; BAD_USER_INPUT at `path` for an id of another type. */
export function readTaskBy(by: TaskBy, path: string): number {
  return by.id === undefined ? by.legacyId : readGlobalId('Task', by.id, `${path}.id`);
}

/** The database id of a task that exists, deleted ones included; otherwise NOT_FOUND at `path`. */
export async function resolveTaskBy(em: EntityManager, by: TaskBy, path: string): Promise<number> {
  const id = readTaskBy(by, path);
  const found = await readRows(em).selectFrom('task').select('id').where('id', '=', id).executeTakeFirst();
  if (found === undefined) throw notFound(`there is no task ${id}`, path);
  return id;
}
