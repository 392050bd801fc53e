import { readGlobalId } from '../../lib/global-id.ts';
import { readList } from '../../lib/input.ts';
import type { TaskFilter } from '../../tasks/filter.ts';
import { builder } from '../builder.ts';
import { RunStateEnum } from '../enums.ts';

export const TaskFilterInput = builder.inputType('TaskFilter', {
  description: 'Selects the tasks that match every given condition.',
  fields: (t) => ({
    ids: t.idList({ description: 'One of these ids, at most 500.' }),
    name: t.string({ description: 'The name contains this text, ignoring case.' }),
    className: t.string({ description: 'The full name of the task class.' }),
    active: t.boolean({ description: 'true for active tasks, false for paused ones.' }),
    owner: t.id({ description: 'Owned by this user.' }),
    timeZone: t.string({ description: 'The time zone of the task, spelled as it was given.' }),
    dueBefore: t.field({ type: 'DateTime', description: 'The next slot is before this instant.' }),
    lastRunState: t.field({ type: RunStateEnum, description: 'The state of the newest run.' }),
    includeDeleted: t.boolean({ defaultValue: false, description: 'Includes deleted tasks; false by default.' }),
  }),
});

/** Reads the argument `filter`; null if it is not given. BAD_USER_INPUT for invalid ids, or too many. */
export function readTaskFilter(input: typeof TaskFilterInput.$inferInput | null | undefined): TaskFilter | null {
  if (input == null) return null;
  const { ids, owner, ...same } = input;
  return {
    ...same,
    ids:
      ids == null
        ? null
        : readList(ids, 'filter.ids').map((id, index) => readGlobalId('Task', id, `filter.ids.${index}`)),
    ownerId: owner == null ? null : readGlobalId('User', owner, 'filter.owner'),
  };
}
