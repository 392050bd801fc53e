import type { EventRow, EventSelection } from './tail.ts';

/** Events kept for a subscriber that is slower than the log; past it, it is sent back to the log. */
const MAX_WAITING = 1_000;

/** One consumer of the live stream: a bounded buffer between the tail and an async iteration. */
export class Subscriber {
  readonly #selection: EventSelection;
  #waiting: EventRow[] = [];
  #ended = false;
  #notify: (() => void) | undefined;

  constructor(selection: EventSelection) {
    this.#selection = selection;
  }

  offer(row: EventRow): void {
    const { taskId, runId, runsOnly } = this.#selection;
    if (taskId !== undefined && row.task_id !== taskId) return;
    if (runId !== undefined && row.run_id !== runId) return;
    if (this.#ended || (runsOnly && row.run_id === null)) return;
    if (this.#waiting.length >= MAX_WAITING) {
      this.end();
    } else {
      this.#waiting.push(row);
      this.#notify?.();
    }
  }

  /** No more will be offered; what waits is still handed out. */
  end(): void {
    this.#ended = true;
    this.#notify?.();
  }

  async *rows(signal: AbortSignal): AsyncGenerator<EventRow, void, undefined> {
    const wake = () => this.#notify?.();
    signal.addEventListener('abort', wake);
    try {
      while (!signal.aborted) {
        const rows = this.#waiting;
        this.#waiting = [];
        yield* rows;
        if (this.#waiting.length > 0) continue;
        if (this.#ended) return;
        await new Promise<void>((resolve) => {
          this.#notify = resolve;
          if (signal.aborted) resolve();
        });
        this.#notify = undefined;
      }
    } finally {
      signal.removeEventListener('abort', wake);
    }
  }
}
