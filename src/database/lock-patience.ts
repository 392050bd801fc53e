// Takes locks behind which others queue: it gives up after a moment, lets them go first, and tries again.
import { setTimeout as pause } from 'node:timers/promises';
import { Backoff } from '../lib/backoff.ts';
import { codeOf } from '../lib/describe-error.ts';
import { OperatorError } from '../lib/operator-error.ts';

/**
 * How long one attempt waits for a lock, since every later statement on the same table waits as long. It is less than
 * the second after which PostgreSQL looks for deadlocks, so that this transaction is the one that gives up in a
 * deadlock.
 */
export const LOCK_TIMEOUT_MS = 500;
/** How long it retries; the supervisors in deploy/ give a start five minutes. */
const PATIENCE_MS = 4 * 60_000;
/** PostgreSQL's codes of a lock timeout and of a deadlock. */
const LOCK_ERRORS = ['55P03', '40P01'];

export interface Patience {
  /** Called once, when others hold the locks. */
  say(message: string): void;
  patienceMs?: number;
}

interface LockWait extends Patience {
  /** Queries in another session, to see who holds the locks. */
  ask<Row>(text: string): Promise<Row[]>;
  /** The messages; `others` is "other transactions hold the locks", and who. */
  waits(others: string): string;
  givesUp(others: string): string;
}

/**
 * Runs `work`, a transaction whose lock_timeout is `LOCK_TIMEOUT_MS`, and retries it while others hold its locks.
 * Throws an OperatorError if they hold them for too long.
 */
export async function patiently<T>(
  work: () => Promise<T>,
  { say, ask, waits, givesUp, patienceMs = PATIENCE_MS }: LockWait,
): Promise<T> {
  const deadline = performance.now() + patienceMs;
  const backoff = new Backoff();
  for (let isReported = false; ; isReported = true) {
    try {
      return await work();
    } catch (error) {
      if (!LOCK_ERRORS.includes(codeOf(error) ?? '')) throw error;
      const others = `other transactions hold the locks${await describeOldest(ask)}`;
      if (performance.now() > deadline) throw new OperatorError(givesUp(others));
      if (!isReported) say(waits(others));
      await pause(backoff.next());
    }
  }
}

/** The transaction that has been open longest, most likely the one that holds the locks. */
async function describeOldest(ask: LockWait['ask']): Promise<string> {
  const [oldest] = await ask<{ name: string; pid: number; seconds: number }>(
    `select application_name as name, pid, round(extract(epoch from clock_timestamp() - xact_start))::int as seconds
     from pg_stat_activity
     where datname = current_database() and xact_start is not null and pid <> pg_backend_pid()
     order by xact_start limit 1`,
  );
  if (oldest === undefined) return '';
  return ` (the oldest one: "${oldest.name}", process ${oldest.pid} of PostgreSQL, open for ${oldest.seconds} s)`;
}
