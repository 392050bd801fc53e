import { sql } from 'kysely';
import { type Row, readRows } from '../../database/rows.ts';
import { builder } from '../builder.ts';
import { RunRef } from '../refs.ts';

type RunnerRow = Row<'runner'>;

const RunnerRef = builder.objectRef<RunnerRow>('Runner').implement({
  description: 'A runner: a live process that runs tasks.',
  fields: (t) => ({
    id: t.exposeID('id', { description: 'An id that is new at each start of the process.' }),
    host: t.exposeString('host', { description: 'The name of the machine.' }),
    pid: t.exposeInt('pid', { description: 'The process id on that machine.' }),
    startedAt: t.expose('started_at', { type: 'DateTime', description: 'When the process began to run tasks.' }),
    places: t.exposeInt('places', {
      description: 'How many runs the process can do at once: its setting CONCURRENCY.',
    }),
    running: t.loadable({
      type: 'Int',
      description: 'How many runs the process is doing now, including those whose result is being written.',
      load: async (ids: string[], { em }) => {
        const { rows } = await sql<{ runner_id: string; count: number }>`
          select runner_id, count(*)::int as count from run
          where state = 'RUNNING' and runner_id = any(${ids}::uuid[]) group by runner_id
        `.execute(readRows(em));
        const counts = new Map(rows.map(({ runner_id, count }) => [runner_id, count]));
        return ids.map((id) => counts.get(id) ?? 0);
      },
      loaderOptions: { cache: false },
      resolve: ({ id }) => id,
    }),
    classNames: t.stringList({
      description: 'The task classes that the process can run.',
      resolve: ({ class_names }) => class_names,
    }),
  }),
});

builder.queryField('runners', (t) =>
  t.field({
    type: [RunnerRef],
    description: 'The live runners, oldest first.',
    complexity: { multiplier: 100 },
    resolve: (_root, _arguments, { em }) =>
      readRows(em)
        .selectFrom('runner')
        .selectAll()
        .where('lives_until', '>', sql<string>`now()`)
        .orderBy('started_at')
        .orderBy('id')
        .execute(),
  }),
);

builder.objectField(RunRef, 'runner', (t) =>
  t.loadable({
    type: RunnerRef,
    nullable: true,
    description:
      'The runner of the current or last attempt; null before the first, and after that runner has signed off.',
    load: async (ids: string[], { em }) => {
      const rows = await readRows(em).selectFrom('runner').selectAll().where('id', 'in', ids).execute();
      const byId = new Map(rows.map((row) => [row.id, row]));
      return ids.map((id) => byId.get(id) ?? null);
    },
    loaderOptions: { cache: false },
    resolve: ({ runner_id }) => runner_id,
  }),
);
