import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import nodeSchedule from 'node-schedule';

/** Wakes the executor when the next delayed attempt may start: pg-boss sends no notification then. */
export class RetryAlarm {
  readonly #em: EntityManager;
  readonly #wake: () => void;
  #alarm: nodeSchedule.Job | undefined;
  #stopped = false;

  constructor(em: EntityManager, wake: () => void) {
    this.#em = em;
    this.#wake = wake;
  }

  /** Sets the alarm again, by the delay that the database returns. */
  async arm(): Promise<void> {
    const { rows } = await sql<{ delay: number | null }>`
      select extract(epoch from min(next_attempt_at) - clock_timestamp())::float8 * 1000 as delay
      from run where next_attempt_at > clock_timestamp()
    `.execute(this.#em.fork().getKysely());
    const delay = rows[0]?.delay ?? null;
    this.#alarm?.cancel();
    // What is due already and was not taken is another runner's, or waits for a free place here.
    if (delay === null || this.#stopped) return;
    this.#alarm = nodeSchedule.scheduleJob(new Date(Date.now() + Math.ceil(delay)), this.#wake);
  }

  stop(): void {
    this.#stopped = true;
    this.#alarm?.cancel();
  }
}
