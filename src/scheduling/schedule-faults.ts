import type { Logger } from 'pino';
import { isRefused } from '../database/refused.ts';
import { toGlobalId } from '../lib/global-id.ts';

/**
 * Tasks whose schedule this process cannot compute, for one because its Node does not know their time zone, or for which
 * PostgreSQL refuses what is to be written. They stay due, for a process that can and for a schedule that is mended, and
 * must not keep the other tasks from firing.
 */
export class ScheduleFaults {
  readonly #log: Logger;
  readonly #left = new Set<number>();
  readonly #reported = new Set<number>();

  constructor(log: Logger) {
    this.#log = log;
  }

  /** The tasks that are skipped until `forget`. */
  get taskIds(): number[] {
    return [...this.#left];
  }

  /** The result of `compute`; undefined if it throws, and the task is then skipped. */
  try<Result>(taskId: number, compute: () => Result): Result | undefined {
    try {
      return compute();
    } catch (error) {
      this.#leave(taskId, error, 'the schedule of a task cannot be computed');
      return undefined;
    }
  }

  /**
   * Runs `work`, a transaction, for all of `items`. If PostgreSQL refuses it, it is repeated for smaller and smaller
   * parts, until the faulty task is alone and is skipped.
   */
  async sparing<Item extends { id: number }>(
    items: readonly Item[],
    work: (items: readonly Item[]) => Promise<unknown>,
  ): Promise<void> {
    const [first] = items;
    if (first === undefined) return;
    try {
      await work(items);
    } catch (error) {
      if (!isRefused(error)) throw error;
      if (items.length === 1) return this.#leave(first.id, error, 'what is due of a task cannot be written');
      const middle = Math.ceil(items.length / 2);
      await this.sparing(items.slice(0, middle), work);
      await this.sparing(items.slice(middle), work);
    }
  }

  /** Allows the tasks to be tried again. */
  forget(): void {
    this.#left.clear();
  }

  #leave(taskId: number, error: unknown, message: string): void {
    this.#left.add(taskId);
    if (!this.#reported.has(taskId)) this.#log.error({ taskId: toGlobalId('Task', taskId), err: error }, message);
    this.#reported.add(taskId);
  }
}
