import { readGlobalId } from '../../lib/global-id.ts';
import { builder } from '../builder.ts';
import { EventRef } from '../refs.ts';

builder.subscriptionField('runEvents', (t) =>
  t.field({
    type: EventRef,
    authScopes: { viewer: true },
    description:
      'Events of runs: first those after the cursor, in order, then live, without gaps or duplicates. Without a cursor, starts now.',
    args: {
      task: t.arg.id({ description: 'Only runs of this task.' }),
      run: t.arg.id({ description: 'Only this run.' }),
      after: t.arg.string({
        description:
          'The cursor of the last event received. CURSOR_EXPIRED if the log cannot continue from it without a gap.',
      }),
    },
    subscribe: async (_root, { task, run, after }, { tail, lastEventId, opening }) => {
      const selection = {
        runsOnly: true,
        ...(task ? { taskId: readGlobalId('Task', task, 'task') } : {}),
        ...(run ? { runId: readGlobalId('Run', run, 'run') } : {}),
      };
      const events = await tail.subscribe(selection, lastEventId ?? after ?? undefined);
      if (opening !== undefined) opening.startCursor = events.startCursor;
      return events;
    },
    resolve: (event) => event,
  }),
);
