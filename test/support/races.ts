// What tests of races share: tasks by the hundred, connections that can be cut, and what must hold after every commit.
import type { EntityManager, MikroORM } from '@mikro-orm/postgresql';
import type pg from 'pg';
import { compileSchedule, type RepeatRule } from '../../src/calendar/schedule.ts';
import type { OverlapPolicy } from '../../src/entities/task.ts';
import { EVERY } from './calendar-oracle.ts';

export function everyHourAt(minute: number): RepeatRule {
  return { ...EVERY, minute };
}

export interface TasksToAdd {
  count: number;
  rule?: RepeatRule;
  /** Slots after this instant are expected; none without it. */
  from?: Date;
  overlap?: OverlapPolicy;
  catchUp?: 'LATEST' | 'ALL' | 'NONE';
  retryAttempts?: number;
}

export function rows<Row>(em: EntityManager, text: string, values: unknown[] = []): Promise<Row[]> {
  return em.fork().getConnection().execute<Row[]>(text, values);
}

/** Inserts tasks of user 1, whom it makes where there is none, and returns their ids. */
export async function addTasks(em: EntityManager, options: TasksToAdd): Promise<number[]> {
  const { count, rule = everyHourAt(0), from, overlap = 'SKIP', catchUp = 'LATEST', retryAttempts = 1 } = options;
  await rows(em, `insert into app_user (id, name, role) values (1, 'admin', 'ADMIN') on conflict do nothing`);
  const next = from === undefined ? null : (compileSchedule([rule], 'UTC').next(from)?.toISOString() ?? null);
  const added = await rows<{ id: number }>(
    em,
    `insert into task (name, class_name, active, owner_id, time_zone, overlap, catch_up, retry_attempts,
       retry_delay_seconds, next_run_at, created_at, updated_at)
     select 'Task ' || n, 'class', true, 1, 'UTC', ?, ?, ?, 0, ?::timestamptz, now(), now()
     from generate_series(1, ?) as n returning id`,
    [overlap, catchUp, retryAttempts, next, count],
  );
  await rows(
    em,
    `insert into schedule_version (task_id, rules, time_zone, active, valid_from)
     select id, ?::jsonb, 'UTC', true, coalesce(?::timestamptz, now()) from unnest(?::int[]) as id`,
    [JSON.stringify([rule]), from?.toISOString() ?? null, `{${added.map(({ id }) => id).join()}}`],
  );
  return added.map(({ id }) => id);
}

const BROKEN: Record<string, string> = {
  'a queued run carries a job that nobody can take': `
    select id from run where state = 'QUEUED' and job_id is not null
    and not exists (select from pgboss.job where job.id = run.job_id and job.state = 'created')`,
  'a running run carries a job that nobody holds or has lost': `
    select id from run where state = 'RUNNING'
    and not exists (select from pgboss.job where job.id = run.job_id and job.state in ('active', 'failed'))`,
  'a job that can be taken belongs to no run that waits for it, nor to a cancelled one': `
    select job.id from pgboss.job where job.name = 'attempt' and job.state = 'created' and not exists (
      select from run where run.id = (job.data->>'runId')::bigint and (run.job_id = job.id or run.state = 'CANCELLED'))`,
  'the newest event of a run tells another state than the run has': `
    select id from run where state is distinct from (
      select run_state from event where event.run_id = run.id order by event.id desc limit 1)`,
  'a run waits for its turn while no run of its task is under way': `
    select id from run where state = 'QUEUED' and job_id is null and not exists (
      select from run busy where busy.task_id = run.task_id and busy.state in ('QUEUED', 'RUNNING')
        and busy.job_id is not null)`,
  'two runs of a task that runs one at a time are under way': `
    select task_id from run join task on task.id = run.task_id
    where task.overlap <> 'ALLOW' and run.state in ('QUEUED', 'RUNNING') and job_id is not null
    group by task_id having count(*) > 1`,
};

/** What is wrong with the runs, their jobs and their events at this moment; empty after every commit. */
export async function findBroken(em: EntityManager): Promise<string[]> {
  const text = Object.entries(BROKEN).map(
    ([fault, select]) => `select '${fault}' as fault, count(*)::int as n from (${select}) as broken`,
  );
  const faults = await rows<{ fault: string; n: number }>(em, text.join(' union all '));
  return faults.filter(({ n }) => n > 0).map(({ fault, n }) => `${fault} (${n})`);
}

/** Cuts the connections of a pool in the middle of what they do, as the death of the process would. */
export class Cutter {
  #left = Number.POSITIVE_INFINITY;
  #hasCut = false;
  readonly #wrapped = new WeakSet<pg.PoolClient>();

  static async on(orm: MikroORM): Promise<Cutter> {
    const cutter = new Cutter();
    const connection = orm.em.getConnection() as unknown as { getNativeClient(): Promise<pg.Pool> };
    const pool = await connection.getNativeClient();
    pool.on('acquire', (client) => cutter.#wrap(client));
    return cutter;
  }

  /** The statement after the next `count` is not sent any more: its connection is closed instead. */
  cutAfter(count: number): void {
    this.#left = count;
  }

  /** Whether it has cut since it was told to; it cuts no more after this. */
  disarm(): boolean {
    const hasCut = this.#hasCut;
    this.#hasCut = false;
    this.#left = Number.POSITIVE_INFINITY;
    return hasCut;
  }

  #wrap(client: pg.PoolClient): void {
    if (this.#wrapped.has(client)) return;
    this.#wrapped.add(client);
    const query = client.query.bind(client) as (...values: unknown[]) => unknown;
    const counted = (...values: unknown[]) => {
      this.#left -= 1;
      if (this.#left < 0) {
        this.#hasCut = true;
        (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
      }
      return query(...values);
    };
    Object.assign(client, { query: counted });
  }
}
