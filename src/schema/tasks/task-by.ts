import { readGlobalId } from '../../lib/global-id.ts';
import { builder } from '../builder.ts';

export type TaskBy = { id: string; legacyId?: never } | { legacyId: number; id?: never };

/** Which task, by either of its ids. */
export const TaskByInput = builder.inputType('TaskBy', {
  description: 'A task, by one of its ids.',
  isOneOf: true,
  fields: (t) => ({
    id: t.id({ description: 'The id in this API.' }),
    legacyId: t.int({ description: 'The id in the old API.' }),
  }),
});

/** The database id that `by` says, of a task that need not exist; BAD_USER_INPUT at `path` for an id of another type. */
export function readTaskBy(by: TaskBy, path: string): number {
  return by.id === undefined ? by.legacyId : readGlobalId('Task', by.id, `${path}.id`);
}
