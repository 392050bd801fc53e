// Years of history, written by SQL as the product's tables hold it.
import type pg from 'pg';

const BATCH = 50_000;

/** Scheduled runs of the first tasks in turn, a slot a minute back from now for each; every run with as many events. */
export async function fillHistory(client: pg.Client, tasks: number, runs: number, events: number): Promise<void> {
  // What is lost if the machine fails is this bench's own.
  await client.query('set synchronous_commit = off');
  for (let from = 0; from < runs; from += BATCH) {
    await client.query(
      `with added as (
         insert into run (task_id, slot, trigger, state, actor_id, attempt, queued_at, started_at, finished_at, message)
         select 1 + n % $1, slot, 'SCHEDULE', 'SUCCEEDED', 1, 1, slot, slot, slot, 'Done.'
         from generate_series($2::int, $3::int - 1) as n, lateral (
           select date_trunc('minute', now()) - (1 + ($4::int - 1 - n) / $1) * interval '1 minute' as slot) as its
         returning id, task_id, slot
       )
       insert into event (seq, at, type, message, task_id, task_name, run_id, run_state, attempt, actor_id)
       select (select head from event_log) + row_number() over (order by added.id, n), slot,
         case n when 1 then 'QUEUED' when 2 then 'STARTED' when $5 then 'SUCCEEDED' else 'LOG' end,
         'A line of the log of this run.', task_id, 'Task ' || task_id, added.id,
         case n when 1 then 'QUEUED' when $5 then 'SUCCEEDED' else 'RUNNING' end, 1, 1
       from added, generate_series(1, $5::int) as n`,
      [tasks, from, Math.min(from + BATCH, runs), runs, Math.round(events / runs)],
    );
    await client.query('update event_log set head = (select max(seq) from event)');
  }
  await client.query('update task set last_run_at = (select max(started_at) from run where task_id = task.id)');
  await client.query('reset synchronous_commit');
}
