// The proof that a server serves zones: it is asked by DNS for their serials, until it has them or its time is over.
import { setTimeout as pause } from 'node:timers/promises';
import { askSerial, NoAnswer, type ServerAddress } from './ask-serial.ts';
import { isOpen, type PendingZone } from './pending-zone.ts';
import type { RenderedZone } from './zone-folder.ts';

/** Questions to one server at once. */
const QUESTIONS = 20;
const POLL_MS = 100;
const ASK_SECONDS = 2;

export class ServedSerials {
  readonly #server: ServerAddress;
  readonly #signal: AbortSignal;

  /** `server.timeoutSeconds` is how long the server may take to load. */
  constructor(server: ServerAddress, signal: AbortSignal) {
    this.#server = server;
    this.#signal = signal;
  }

  /** The answers in the order of the zones, null for a zone that is not served. Throws NoAnswer where one does not come. */
  async ask(zones: readonly RenderedZone[], timeoutSeconds = this.#server.timeoutSeconds): Promise<(number | null)[]> {
    const signal = this.#signal;
    const server = { ...this.#server, timeoutSeconds };
    const answers: (number | null)[] = [];
    for (let start = 0; start < zones.length; start += QUESTIONS) {
      signal.throwIfAborted();
      const batch = zones.slice(start, start + QUESTIONS);
      answers.push(...(await Promise.all(batch.map(({ name }) => askSerial(server, name, signal)))));
    }
    return answers;
  }

  /** A server that gives no answer while it loads is asked again, like one that answers another serial. */
  async askAgain(pending: readonly PendingZone[]): Promise<void> {
    const zones = pending.map(({ zone }) => zone);
    try {
      const answers = await this.ask(zones, Math.min(ASK_SECONDS, this.#server.timeoutSeconds));
      for (const [index, one] of pending.entries()) one.answered = answers[index] ?? null;
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error;
      for (const one of pending) one.answered = null;
    }
  }

  /** Until every zone is served with its serial, or the time is over; a zone whose command failed is asked for once. */
  async awaitAll(pending: readonly PendingZone[]): Promise<void> {
    const deadline = Date.now() + this.#server.timeoutSeconds * 1_000;
    let open = pending.filter(isOpen);
    while (open.length > 0) {
      await this.askAgain(open);
      open = open.filter((one) => isOpen(one) && one.commandFault === null);
      if (open.length === 0 || Date.now() >= deadline) return;
      await pause(POLL_MS, undefined, { signal: this.#signal });
    }
  }
}
