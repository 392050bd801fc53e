// Takes locks that all others wait behind: whoever does gives way to them after a moment, and tries again.
import { setTimeout as pause } from 'node:timers/promises';
import { Backoff } from '../lib/backoff.ts';
import { codeOf } from '../lib/describe-error.ts';
import { OperatorError } from '../lib/operator-error.ts';

/**
 * How long to wait for a lock at a time, since all who come after for the same table wait as long. It is less than the
 * second after which PostgreSQL looks for a deadlock, so that it is this transaction which ends one.
 */
export const LOCK_TIMEOUT_MS = 500;
/** How long it is tried again before it is given up; supervisors that we come with give a start five minutes. */
const PATIENCE_MS = 4 * 60_000;
/** PostgreSQL's codes of a lock that was not to be had in time, and of a deadlock. */
const IN_THE_WAY = ['55P03', '40P01'];

export interface Patience {
  /** Told once, where others are in the way. */
  say(message: string): void;
  patienceMs?: number;
}

interface LockWait extends Patience {
  /** Asks in another session, to see who is in the way. */
  ask<Row>(text: string): Promise<Row[]>;
  /** What is said; `others` is "other transactions are in the way", and who. */
  waits(others: string): string;
  givesUp(others: string): string;
}

/**
 * Does `work`, a transaction whose lock_timeout is `LOCK_TIMEOUT_MS`, and does it again while others are in the way. Throws
 * an OperatorError where they stay there for too long.
 */
export async function patiently<T>(
  work: () => Promise<T>,
  { say, ask, waits, givesUp, patienceMs = PATIENCE_MS }: LockWait,
): Promise<T> {
  const deadline = performance.now() + patienceMs;
  const backoff = new Backoff();
  for (let isTold = false; ; isTold = true) {
    try {
      return await work();
    } catch (error) {
      if (!IN_THE_WAY.includes(codeOf(error) ?? '')) throw error;
      const others = `other transactions hold the locks${await describeOldest(ask)}`;
      if (performance.now() > deadline) throw new OperatorError(givesUp(others));
      if (!isTold) say(waits(others));
      await pause(backoff.next());
    }
  }
}

/** The transaction that has been open for longest, most likely the one that others wait for too. */
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
