// Classes of which no two runs may be under way at once. What makes it so is the unique index `run_exclusive`: taking an
// attempt writes the class into its run, and two RUNNING runs cannot carry the same one. The rest of this file keeps
// executors from waiting for each other at that index.
import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { classOf, type Jobs } from '../scheduling/jobs.ts';

type Job = Awaited<ReturnType<Jobs['fetch']>>[number];

/** Undoes the transaction that fetched jobs which cannot be taken now. */
export class RetryWithFewer extends Error {
  /** The most that the next fetch takes. */
  readonly count: number;
  /** The classes that the next fetch leaves out. */
  readonly without: readonly string[];

  constructor(count: number, without: readonly string[] = []) {
    super();
    this.count = count;
    this.without = without;
  }
}

/** The exclusive classes of this process, and those that are known to have a run in progress. */
export class ExclusiveClasses {
  readonly names: readonly string[];
  #busy: string[] = [];

  constructor(names: readonly string[]) {
    this.names = names;
  }

  /** The classes whose jobs are not fetched. Queries the database only if some were busy at the last check. */
  async busy(em: EntityManager): Promise<readonly string[]> {
    if (this.#busy.length > 0) this.#busy = (await this.#claim(em, this.#busy)).busy;
    return this.#busy;
  }

  /**
   * Throws RetryWithFewer if not all jobs can be taken: the next transaction leaves out a class that is running, or
   * that another executor is taking, and of several jobs of one class it fetches those before the second.
   */
  async refuse(em: EntityManager, jobs: readonly Job[]): Promise<void> {
    const classes = jobs.map((job) => classOf(job) ?? '');
    const wanted = [...new Set(classes)].filter((name) => this.names.includes(name));
    if (wanted.length === 0) return;
    const { busy, claimed } = await this.#claim(em, wanted);
    this.#busy = busy;
    if (busy.length + claimed.length > 0) throw new RetryWithFewer(jobs.length, [...busy, ...claimed]);
    const second = classes.findIndex((name, index) => wanted.includes(name) && classes.indexOf(name) < index);
    if (second !== -1) throw new RetryWithFewer(second);
  }

  /**
   * Claims the classes for this transaction, and tells which it cannot have. Without the lock an executor would wait at the
   * index for another's commit, for as long as that one is frozen or cut off, and take nothing of any class.
   */
  async #claim(em: EntityManager, names: readonly string[]): Promise<{ busy: string[]; claimed: string[] }> {
    const { rows } = await sql<{ name: string; busy: boolean; free: boolean }>`
      select name, pg_try_advisory_xact_lock(hashtextextended('slotkeeper exclusive class ' || name, 0)) as free,
        exists (select from run where state = 'RUNNING' and exclusive_class = name) as busy
      from unnest(${[...names]}::text[]) as name
    `.execute(em.getKysely());
    return {
      busy: rows.filter(({ busy }) => busy).map(({ name }) => name),
      claimed: rows.filter(({ busy, free }) => !busy && !free).map(({ name }) => name),
    };
  }
}

/** Another executor took a run of the same exclusive class between our look and our write. */
export function isExclusiveConflict(error: unknown): boolean {
  return error instanceof Error && 'constraint' in error && error.constraint === 'run_exclusive';
}
