import { classOf, type Jobs } from '../scheduling/jobs.ts';

type Job = Awaited<ReturnType<Jobs['fetch']>>[number];

/** Undoes the transaction that fetched jobs of classes which this process turned out not to have. */
export class UnsupportedJobs extends Error {}

/**
 * The classes that jobs were sent for and whose code this process does not have: its executor leaves their jobs to
 * others. It learns of them from the jobs, so it needs no list of what other processes have.
 */
export class UnsupportedClasses {
  readonly #has: (className: string) => boolean;
  readonly #names = new Set<string>();

  constructor(has: (className: string) => boolean) {
    this.#has = has;
  }

  get names(): string[] {
    return [...this.#names];
  }

  /** Throws UnsupportedJobs if a job is for a class that was not known to be unsupported. */
  refuse(jobs: readonly Job[]): void {
    const found = jobs.flatMap((job) => classOf(job) ?? []).filter((name) => !this.#has(name));
    if (found.length === 0) return;
    for (const name of found) this.#names.add(name);
    throw new UnsupportedJobs();
  }
}
