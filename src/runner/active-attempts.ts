import type { Attempt } from './attempt.ts';
import type { StopReason } from './attempt-body.ts';

export interface ActiveAttempt {
  attempt: Attempt;
  controller: AbortController;
  /** When this process last held the attempt for certain, by performance.now(). */
  heldAt: number;
}

/** The attempts of this process that are not settled yet, by the ids of their jobs. */
export class ActiveAttempts {
  readonly #byJob = new Map<string, ActiveAttempt>();

  get size(): number {
    return this.#byJob.size;
  }

  get all(): ActiveAttempt[] {
    return [...this.#byJob.values()];
  }

  get jobIds(): string[] {
    return [...this.#byJob.keys()];
  }

  has(jobId: string): boolean {
    return this.#byJob.has(jobId);
  }

  add(attempt: Attempt, controller: AbortController): void {
    this.#byJob.set(attempt.job.id, { attempt, controller, heldAt: performance.now() });
  }

  delete({ job }: Attempt): void {
    this.#byJob.delete(job.id);
  }

  /** Signals the code of an attempt to stop. Does nothing if this process no longer holds the attempt. */
  stop(jobId: string, reason: StopReason): void {
    this.#byJob.get(jobId)?.controller.abort(reason);
  }

  stopAll(reason: StopReason): void {
    for (const id of this.#byJob.keys()) this.stop(id, reason);
  }
}
