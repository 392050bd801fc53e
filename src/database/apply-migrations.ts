// Migrates while older processes work on the same tables: a migration that has to wait for a lock gives way to them.
import { setTimeout as pause } from 'node:timers/promises';
import type pg from 'pg';
import { Backoff } from '../backoff.ts';
import type { Orm } from './orm.ts';
import { codeOf, StartupError } from './startup-error.ts';

/**
 * How long a migration waits for a lock at a time, since all who come after it for the same table wait as long. It is
 * less than the second after which PostgreSQL looks for a deadlock, so that it is the migration which ends one.
 */
const LOCK_TIMEOUT_MS = 500;
/** How long it tries again before the start is given up; supervisors that we come with give a start five minutes. */
const PATIENCE_MS = 4 * 60_000;
/** PostgreSQL's codes of a lock that was not to be had in time, and of a deadlock. */
const IN_THE_WAY = ['55P03', '40P01'];

export interface Patience {
  /** Told once, where others are in the way. */
  say(message: string): void;
  patienceMs?: number;
}

/**
 * Applies what is pending in one transaction. `watch` is another session, to see who is in the way. Throws a StartupError
 * where others stay in the way for too long.
 */
export async function applyMigrations(
  orm: Orm,
  watch: pg.Client,
  { say, patienceMs = PATIENCE_MS }: Patience,
): Promise<void> {
  const deadline = performance.now() + patienceMs;
  const backoff = new Backoff();
  for (let isTold = false; ; isTold = true) {
    try {
      return await tryOnce(orm);
    } catch (error) {
      if (!IN_THE_WAY.includes(codeOf(error) ?? '')) throw error;
      const others = `other transactions are in the way${await describeOldest(watch)}`;
      if (performance.now() > deadline) {
        throw new StartupError(
          `The tables could not be migrated, since ${others}: end them, or start again once they have ended. Nothing was changed.`,
        );
      }
      if (!isTold) say(`The migration waits, since ${others}; processes that are up go on meanwhile.`);
      await pause(backoff.next());
    }
  }
}

function tryOnce(orm: Orm): Promise<void> {
  return orm.em.fork().transactional(async (em) => {
    await em.execute(`set local lock_timeout = ${LOCK_TIMEOUT_MS}`);
    await orm.migrator.up({ transaction: em.getTransactionContext() });
  });
}

/** The transaction that has been open for longest, most likely the one that others wait for too. */
async function describeOldest(watch: pg.Client): Promise<string> {
  const { rows } = await watch.query<{ name: string; pid: number; seconds: number }>(
    `select application_name as name, pid, round(extract(epoch from clock_timestamp() - xact_start))::int as seconds
     from pg_stat_activity
     where datname = current_database() and xact_start is not null and pid <> pg_backend_pid()
     order by xact_start limit 1`,
  );
  const [oldest] = rows;
  if (oldest === undefined) return '';
  return ` (the oldest one: "${oldest.name}", process ${oldest.pid} of PostgreSQL, open for ${oldest.seconds} s)`;
}
