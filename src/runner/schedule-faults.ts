import type { Logger } from 'pino';
import { toGlobalId } from '../schema/global-id.ts';

/**
 * Tasks whose schedule this process cannot compute, for one because its Node does not know their time zone. They stay
 * due, for a process that can and for a schedule that is mended, and must not keep the other tasks from firing.
 */
export class ScheduleFaults {
  readonly #log: Logger;
  readonly #left = new Set<number>();
  readonly #reported = new Set<number>();

  constructor(log: Logger) {
    this.#log = log;
  }

  /** The tasks that are left out until `forget`. */
  get taskIds(): number[] {
    return [...this.#left];
  }

  /** What `compute` returns; undefined where it throws, and the task is then left out. */
  try<Result>(taskId: number, compute: () => Result): Result | undefined {
    try {
      return compute();
    } catch (error) {
      this.#left.add(taskId);
      if (!this.#reported.has(taskId)) {
        const labels = { taskId: toGlobalId('Task', taskId) };
        this.#log.error({ ...labels, err: error }, 'the schedule of a task cannot be computed');
      }
      this.#reported.add(taskId);
      return undefined;
    }
  }

  /** Lets the tasks be tried again. */
  forget(): void {
    this.#left.clear();
  }
}
