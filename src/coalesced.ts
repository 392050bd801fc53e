/**
 * Work that many ask for and one does at a time: asked while it runs, it runs once more afterwards. A failure is
 * reported and not repeated by itself, so that whoever asks also has a slow poll.
 */
export class Coalesced {
  readonly #work: () => Promise<void>;
  readonly #failed: (error: unknown) => void;
  #again = false;
  #running: Promise<void> | undefined;

  constructor(work: () => Promise<void>, failed: (error: unknown) => void) {
    this.#work = work;
    this.#failed = failed;
  }

  request(): void {
    this.#again = true;
    this.#running ??= this.#loop();
  }

  /** Resolves when nothing runs. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  async #loop(): Promise<void> {
    try {
      while (this.#again) {
        this.#again = false;
        await this.#work();
      }
    } catch (error) {
      this.#failed(error);
    } finally {
      // In the same turn as the last look at #again: no request falls between.
      this.#running = undefined;
    }
  }
}
