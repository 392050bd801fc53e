// Classes of which no two runs may be under way at once. What makes it so is the unique index `run_exclusive`: taking an
// attempt writes the class into its run, and two RUNNING runs cannot carry the same one. The rest of this file only keeps
// executors from running into that index.
import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { classOf, type Jobs } from './jobs.ts';

type Job = Awaited<ReturnType<Jobs['fetch']>>[number];

/** Undoes the transaction that fetched jobs which cannot be taken now; the next one fetches `count` at most. */
export class TakesFewer extends Error {
  readonly count: number;

  constructor(count: number) {
    super();
    this.count = count;
  }
}

/** The exclusive classes of this process, and which of them are known to have a run under way somewhere. */
export class ExclusiveClasses {
  readonly names: readonly string[];
  #busy: string[] = [];

  constructor(names: readonly string[]) {
    this.names = names;
  }

  /** The classes whose jobs are left where they are; asks the database only where some were busy when last looked at. */
  async busy(em: EntityManager): Promise<readonly string[]> {
    if (this.#busy.length > 0) this.#busy = await this.#readBusy(em);
    return this.#busy;
  }

  /**
   * Throws TakesFewer where jobs cannot all be taken: of a class that is under way the next transaction leaves out all,
   * and of one of which there are several it fetches those before the second.
   */
  async refuse(em: EntityManager, jobs: readonly Job[]): Promise<void> {
    const classes = jobs.map((job) => classOf(job) ?? '');
    if (!classes.some((name) => this.names.includes(name))) return;
    this.#busy = await this.#readBusy(em);
    if (classes.some((name) => this.#busy.includes(name))) throw new TakesFewer(jobs.length);
    const second = classes.findIndex((name, index) => this.names.includes(name) && classes.indexOf(name) < index);
    if (second !== -1) throw new TakesFewer(second);
  }

  async #readBusy(em: EntityManager): Promise<string[]> {
    const { rows } = await sql<{ name: string }>`
      select exclusive_class as name from run where state = 'RUNNING' and exclusive_class = any(${[...this.names]}::text[])
    `.execute(em.getKysely());
    return rows.map(({ name }) => name);
  }
}

/** Another executor took a run of the same exclusive class at the same moment, and committed first. */
export function isExclusiveConflict(error: unknown): boolean {
  return error instanceof Error && 'constraint' in error && error.constraint === 'run_exclusive';
}
