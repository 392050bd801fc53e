import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import type { Counter, Gauge, Histogram } from 'prom-client';
import { readRows } from '../database/rows.ts';
import type { EventType } from '../entities/event.ts';
import type { SkipReason } from '../entities/run.ts';
import { sequenceEvents } from '../events/log.ts';
import type { EventTail } from '../events/tail.ts';
import type { Metrics } from './metrics.ts';

/** Positions of the log that one statement looks at. */
const PAGE = 10_000;
/** Positions that one scrape reads; the next continues from there. */
const MAX_A_SCRAPE = 500_000;

interface ToldRow {
  type: EventType;
  class_name: string;
  skip_reason: SkipReason | null;
  /** How late the run began, or how long it took. */
  seconds: number | null;
  data: string | null;
}

/**
 * The outcomes of runs and slots, counted from the event log and not as the work is done: even if a process is killed
 * at any point, each outcome is counted once, and the figures are those of the database. They start with the process,
 * and every gateway counts the whole installation: take their maximum, not their sum.
 */
export class LogCounters {
  readonly #em: EntityManager;
  readonly #tail: EventTail;
  readonly #head: Gauge;
  readonly #lag: Gauge;
  readonly #finished: Counter<'class' | 'state'>;
  readonly #skipped: Counter<'class' | 'reason'>;
  readonly #lateness: Histogram<'class'>;
  readonly #duration: Histogram<'class'>;
  #logId = '';
  #position = 0;

  constructor(em: EntityManager, tail: EventTail, metrics: Metrics) {
    this.#em = em;
    this.#tail = tail;
    this.#head = metrics.gaugeOf('event_log_head', 'The position of the newest event.');
    this.#lag = metrics.gaugeOf(
      'event_tail_lag_events',
      'How many positions the live stream is behind; 0 without subscribers.',
    );
    this.#finished = metrics.counterOf('runs_finished_total', 'Runs that ended, by how.', ['class', 'state']);
    this.#skipped = metrics.counterOf('slots_skipped_total', 'Slots that were skipped, by why.', ['class', 'reason']);
    this.#lateness = metrics.latenessOf('run_lateness_seconds', 'How long after their slots runs began.');
    this.#duration = metrics.durationOf('run_duration_seconds', 'How long runs took, with what was between attempts.');
  }

  /** Starts counting with the events after this moment. */
  async start(): Promise<void> {
    const { logId, head } = await sequenceEvents(this.#em);
    this.#logId = logId;
    this.#position = head;
  }

  /** Counts new events. One call at a time; a failed call counts nothing twice, and the next one continues. */
  async read(): Promise<void> {
    const { logId, head, floor } = await sequenceEvents(this.#em);
    this.#head.set(head);
    this.#lag.set(this.#tail.lagBehind(head));
    // A new log is counted from its current position; events that retention removed cannot be counted.
    if (logId !== this.#logId) this.#position = head;
    this.#logId = logId;
    this.#position = Math.max(this.#position, floor);
    const end = Math.min(head, this.#position + MAX_A_SCRAPE);
    while (this.#position < end) {
      const upTo = Math.min(end, this.#position + PAGE);
      const rows = await this.#page(this.#position, upTo);
      this.#position = upTo;
      for (const row of rows) this.#count(row);
    }
  }

  async #page(after: number, upTo: number): Promise<ToldRow[]> {
    const { rows } = await sql<ToldRow>`
      select event.type, of_task.class_name, of_run.skip_reason, of_run.seconds,
        case when event.type = 'TASK_RESCHEDULED' then event.data end as data
      from event
        -- One by one; otherwise the query planner may read all tasks and runs.
        cross join lateral (select class_name from task where id = event.task_id limit 1) as of_task
        left join lateral (
          select skip_reason, extract(epoch from case
            when event.type <> 'STARTED' then finished_at - started_at
            when trigger = 'SCHEDULE' and started_at = event.at then started_at - slot end)::float8 as seconds
          from run where id = event.run_id limit 1) as of_run on true
      where event.seq > ${after} and event.seq <= ${upTo}
        and event.type in ('STARTED', 'SUCCEEDED', 'FAILED', 'CANCELLED', 'SKIPPED', 'TASK_RESCHEDULED')
    `.execute(readRows(this.#em.fork()));
    return rows;
  }

  #count({ type, class_name, skip_reason, seconds, data }: ToldRow): void {
    const label = { class: class_name };
    if (type === 'STARTED') {
      if (seconds !== null) this.#lateness.observe(label, seconds);
      return;
    }
    if (type === 'SKIPPED') {
      // The run may be past its retention by now.
      if (skip_reason !== null) this.#skipped.inc({ ...label, reason: skip_reason });
      return;
    }
    if (type === 'TASK_RESCHEDULED') {
      const { reason, count } = JSON.parse(data ?? '{}') as { reason?: SkipReason; count?: number };
      if (reason !== undefined) this.#skipped.inc({ ...label, reason }, count);
      return;
    }
    this.#finished.inc({ ...label, state: type });
    if (seconds !== null) this.#duration.observe(label, seconds);
  }
}
