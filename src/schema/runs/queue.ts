// The current queue: waiting and running work, and how late it is.
import { sql } from 'kysely';
import { readRows } from '../../database/rows.ts';
import { badInput } from '../../lib/faults.ts';
import { builder } from '../builder.ts';

interface QueueRow {
  running: number;
  ready: number;
  delayed: number;
  behind: number;
  ready_since: string | null;
}

const QueueRef = builder.objectRef<QueueRow>('Queue').implement({
  description: 'Counts of unfinished runs.',
  fields: (t) => ({
    running: t.exposeInt('running', { description: 'Runs with a running attempt.' }),
    ready: t.exposeInt('ready', {
      description: 'Runs that the next runner with a free place and their task class can take.',
    }),
    readySince: t.expose('ready_since', {
      type: 'DateTime',
      nullable: true,
      description: 'When the oldest ready run was recorded; null if there is none.',
    }),
    delayed: t.exposeInt('delayed', { description: 'Runs that wait for their next attempt.' }),
    behind: t.exposeInt('behind', { description: 'Runs that wait for an earlier run of their task.' }),
  }),
});

interface LatenessRow {
  slots: number;
  p50: number | null;
  p99: number | null;
  most: number | null;
}

const LatenessRef = builder.objectRef<LatenessRow>('Lateness').implement({
  description:
    'Delay between slots and the start of their runs. A run that still waits counts with its delay until now.',
  fields: (t) => ({
    slots: t.exposeInt('slots', { description: 'Number of slots that were due and not skipped.' }),
    p50Seconds: t.exposeFloat('p50', { nullable: true, description: 'Median delay in seconds; null without slots.' }),
    p99Seconds: t.exposeFloat('p99', {
      nullable: true,
      description: '99th percentile of the delay in seconds; null without slots.',
    }),
    maxSeconds: t.exposeFloat('most', { nullable: true, description: 'Longest delay in seconds; null without slots.' }),
  }),
});

const MAX_MINUTES = 60;

builder.queryFields((t) => ({
  queue: t.field({
    type: QueueRef,
    description: 'The number of running and waiting runs, and what they wait for.',
    complexity: 20,
    resolve: async (_root, _arguments, { em }) => {
      const { rows } = await sql<QueueRow>`
        select count(*) filter (where state = 'RUNNING')::int as running,
          count(*) filter (where ready)::int as ready,
          (min(queued_at) filter (where ready))::text as ready_since,
          count(*) filter (where next_attempt_at is not null)::int as delayed,
          count(*) filter (where state = 'QUEUED' and job_id is null)::int as behind
        from run cross join lateral (
          select state = 'QUEUED' and job_id is not null and next_attempt_at is null as ready) as its
        where state in ('QUEUED', 'RUNNING')
      `.execute(readRows(em));
      const [row] = rows;
      if (row === undefined) throw new Error('a count has no row');
      return row;
    },
  }),
  lateness: t.field({
    type: LatenessRef,
    description: 'How late the slots of the last minutes started.',
    complexity: 50,
    args: {
      minutes: t.arg.int({
        required: true,
        defaultValue: MAX_MINUTES,
        description: `Minutes to look back, at most ${MAX_MINUTES}; ${MAX_MINUTES} by default.`,
      }),
    },
    resolve: async (_root, { minutes }, { em }) => {
      if (minutes < 1 || minutes > MAX_MINUTES) {
        throw badInput('minutes', `must be 1 to ${MAX_MINUTES}, got ${minutes}`);
      }
      const { rows } = await sql<LatenessRow>`
        select count(*)::int as slots, max(late)::float8 as most,
          percentile_cont(0.5) within group (order by late) as p50,
          percentile_cont(0.99) within group (order by late) as p99
        from (
          select extract(epoch from coalesce(started_at, finished_at, now()) - slot)::float8 as late from run
          where trigger = 'SCHEDULE' and slot > now() - make_interval(mins => ${minutes}) and slot <= now()
            and state <> 'SKIPPED') as begun
      `.execute(readRows(em));
      const [row] = rows;
      if (row === undefined) throw new Error('a count has no row');
      return row;
    },
  }),
}));
