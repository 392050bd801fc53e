// The floor of `steady`: the rows that the product writes of a run, by as few statements as can be, two connections and
// no code around them. What is faster than this writes less.
import pg from 'pg';
import { readOrder, Throughput, tell } from './protocol.ts';

/** Jobs are taken. */
const TAKE = `
  update pgboss.job set state = 'active', started_on = now(), heartbeat_on = now()
  where name = 'attempt' and id in (
    select id from pgboss.job where name = 'attempt' and state < 'active' and start_after < now()
    order by priority desc, created_on, id limit $1 for update skip locked)
  returning id, data->>'runId' as run`;

/** Their runs begin, and that is told. */
const BEGIN = `
  with begun as (
    update run set state = 'RUNNING', attempt = 1, started_at = now(), runner_id = $2
    where id = any($1::bigint[]) returning id, task_id, actor_id
  ), told as (
    insert into event (type, task_id, task_name, actor_id, run_id, run_state, attempt)
    select 'STARTED', task_id, 'Task', actor_id, id, 'RUNNING', 1 from begun
  )
  select task_id from begun`;

/** The job has ended, its run too, that is told, and the task knows. */
const END = `
  with ended as (
    update pgboss.job set state = 'completed', completed_on = now() where name = 'attempt' and id = any($3)
  ), finished as (
    update run set state = 'SUCCEEDED', message = 'Done.', job_id = null, finished_at = now()
    where id = any($1) returning id, task_id, actor_id
  ), told as (
    insert into event (type, task_id, task_name, actor_id, run_id, run_state, attempt, message)
    select 'SUCCEEDED', task_id, 'Task', actor_id, id, 'SUCCEEDED', 1, 'Done.' from finished
  )
  update task set last_run_at = now() where id = any($2)`;

/** Each event has its place in the log. */
const NUMBER = `
  with log as (select head from event_log for update), numbered as (
    update event set seq = log.head + pending.position
    from (select id, row_number() over (order by id) as position from event where seq is null) as pending, log
    where event.id = pending.id returning event.seq
  )
  update event_log set head = coalesce((select max(seq) from numbered), head)`;

const order = readOrder();
const clients = [1, 2].map(() => new pg.Client({ connectionString: process.env.DATABASE_URL ?? '' }));
await Promise.all(clients.map((client) => client.connect()));
const throughput = new Throughput(order.count);
const measured = throughput.measured();
throughput.begun();
await Promise.all(
  clients.map(async (client) => {
    const runner = crypto.randomUUID();
    for (;;) {
      await client.query('begin');
      const { rows: taken } = await client.query<{ id: string; run: string }>(TAKE, [order.concurrency]);
      const runs = taken.map(({ run }) => run);
      const { rows: begun } = await client.query<{ task_id: number }>(BEGIN, [runs, runner]);
      await client.query('commit');
      if (runs.length === 0) return;
      await client.query(END, [runs, begun.map(({ task_id }) => task_id), taken.map(({ id }) => id)]);
      await client.query(NUMBER);
      throughput.done(runs.length);
    }
  }),
);
tell(await measured);
await Promise.all(clients.map((client) => client.end()));
