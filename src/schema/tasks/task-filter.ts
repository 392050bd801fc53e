import { readGlobalId } from '../../lib/global-id.ts';
import { readList } from '../../lib/input.ts';
import type { TaskFilter } from '../../tasks/filter.ts';
import { builder } from '../builder.ts';
import { RunStateEnum } from '../enums.ts';

export const TaskFilterInput = builder.inputType('TaskFilter', {
  description: 'Which tasks: those that meet every condition given.',
  fields: (t) => ({
    ids: t.idList({ description: 'One of these, 500 at most.' }),
    name: t.string({ description: 'The name holds this text, in capitals or not.' }),
    className: t.string({ description: 'The whole name of the class.' }),
    active: t.boolean({ description: 'Whether it is active rather than paused.' }),
    owner: t.id({ description: 'The user who owns it.' }),
    timeZone: t.string({ description: 'The zone of its clock, as it was given.' }),
    dueBefore: t.field({ type: 'DateTime', description: 'Its next slot is earlier.' }),
    lastRunState: t.field({ type: RunStateEnum, description: 'The state of its newest run.' }),
    includeDeleted: t.boolean({ defaultValue: false, description: 'Deleted tasks too.' }),
  }),
});

/** What the argument `filter` asks for; null where it is not given. BAD_USER_INPUT for an id at fault, or too many. */
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
