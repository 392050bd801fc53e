import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import type { Logger } from 'pino';
import type { Gauge } from 'prom-client';
import { MS_PER_MINUTE } from '../calendar/repeat-rule.ts';
import { readRows } from '../database/rows.ts';
import { readCoverage } from '../ledger/coverage.ts';
import { Coalesced } from '../lib/coalesced.ts';
import type { Metrics } from './metrics.ts';

/** How often the slots since the last look are compared with the ledger; each slot is looked at once. */
const COVERAGE_EVERY_MS = 10 * MS_PER_MINUTE;
/** The first look goes back so far. */
const COVERAGE_BACK_MS = 60 * MS_PER_MINUTE;

interface InstallationRow {
  running: number;
  ready: number;
  delayed: number;
  waiting: number;
  runners: number;
  places: number;
  overdue: number;
}

/** Values that are the same for all processes, read from the database by one statement at each scrape. */
export class InstallationGauges {
  readonly #em: EntityManager;
  readonly #queue: Gauge<'state'>;
  readonly #running: Gauge;
  readonly #places: Gauge<'state'>;
  readonly #runners: Gauge;
  readonly #overdue: Gauge;
  readonly #unaccounted: Gauge;
  readonly #looking: Coalesced;
  #lookedUpTo: Date | undefined;
  #lookedAt = Number.NEGATIVE_INFINITY;

  constructor(em: EntityManager, metrics: Metrics, log: Logger) {
    this.#em = em;
    this.#queue = metrics.gaugeOf(
      'queue_runs',
      'Runs that have not begun: ready for a place, delayed until they are tried again, waiting for an earlier run.',
      ['state'],
    );
    this.#running = metrics.gaugeOf('running_runs', 'Runs with a running attempt.');
    this.#places = metrics.gaugeOf('places', 'Runs that the live runners can do at once.', ['state']);
    this.#runners = metrics.gaugeOf('runners', 'Live processes that run tasks.');
    this.#overdue = metrics.gaugeOf('overdue_seconds', 'Age of the oldest slot that is due and not fired yet.');
    this.#unaccounted = metrics.gaugeOf(
      'unaccounted_slots',
      'Slots found without a record since an hour before the first scrape; more than 0 is a fault. Looked for every ten minutes.',
    );
    // Not known before the first look; 0 would say that it is.
    this.#unaccounted.remove();
    this.#looking = new Coalesced('compare the slots with the ledger', log, () => this.#look());
  }

  async read(): Promise<void> {
    // Beside the scrape, which does not wait for it.
    if (performance.now() - this.#lookedAt > COVERAGE_EVERY_MS) this.#looking.request();
    const { rows } = await sql<InstallationRow>`
      select unfinished.*, runner.*,
        coalesce((select extract(epoch from now() - min(next_run_at)) from task where next_run_at <= now()), 0)::float8
          as overdue
      from (
        select count(*) filter (where state = 'RUNNING')::int as running,
          count(*) filter (where state = 'QUEUED' and job_id is not null and next_attempt_at is null)::int as ready,
          count(*) filter (where next_attempt_at is not null)::int as delayed,
          count(*) filter (where state = 'QUEUED' and job_id is null)::int as waiting
        from run where state in ('QUEUED', 'RUNNING')
      ) as unfinished, (
        select count(*)::int as runners, coalesce(sum(places), 0)::int as places from runner where lives_until > now()
      ) as runner
    `.execute(readRows(this.#em.fork()));
    const [row] = rows;
    if (row === undefined) throw new Error('a count has no row');
    for (const state of ['ready', 'delayed', 'waiting'] as const) this.#queue.set({ state }, row[state]);
    this.#running.set(row.running);
    this.#places.set({ state: 'busy' }, Math.min(row.running, row.places));
    this.#places.set({ state: 'free' }, Math.max(0, row.places - row.running));
    this.#runners.set(row.runners);
    this.#overdue.set(row.overdue);
  }

  async stop(): Promise<void> {
    await this.#looking.stop();
  }

  async #look(): Promise<void> {
    this.#lookedAt = performance.now();
    const { rows } = await sql<{ now: string }>`select now() - interval '1 minute' as now`.execute(
      readRows(this.#em.fork()),
    );
    const to = new Date(rows[0]?.now ?? Number.NaN);
    const from = this.#lookedUpTo ?? new Date(to.getTime() - COVERAGE_BACK_MS);
    const found = await countUnaccounted(this.#em, from, to);
    this.#lookedUpTo = to;
    this.#unaccounted.inc(found);
  }
}

/** Splits the range if it has more slots than one query may have; a single minute with too many is left out. */
async function countUnaccounted(em: EntityManager, from: Date, to: Date): Promise<number> {
  const coverage = await readCoverage(em.fork(), from, to, null);
  if (coverage !== null) return coverage.unaccounted;
  const middle = new Date((from.getTime() + to.getTime()) / 2);
  if (middle.getTime() - from.getTime() < MS_PER_MINUTE) return 0;
  return (await countUnaccounted(em, from, middle)) + (await countUnaccounted(em, middle, to));
}
