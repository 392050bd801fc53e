import type { EntityManager } from '@mikro-orm/postgresql';
import type { Logger } from 'pino';
import { readInstallation } from '../backup/installation.ts';
import type { Notifications } from '../database/notifications.ts';
import { Coalesced } from '../lib/coalesced.ts';
import { Releasers } from '../lib/releasers.ts';

/** Makes up for a notification that was lost. */
const POLL_MS = 5_000;

/** Starts the parts of a runner, and pushes what stops them. */
type StartParts = (releasers: Releasers) => Promise<void>;

/**
 * A runner that starts as soon as its installation is not held (see `src/backup/installation.ts`), usually at once.
 * Until then it plans, runs, retries and removes nothing, and is not registered. Only a restore holds the installation
 * that it creates, so one that was not held at the start is not checked again. The composition root starts and stops
 * it.
 */
export class HeldRunner {
  readonly #em: EntityManager;
  readonly #notifications: Notifications;
  readonly #log: Logger;
  readonly #startParts: StartParts;
  readonly #looking: Coalesced;
  readonly #parts = new Releasers();
  #timer: NodeJS.Timeout | undefined;
  #unlisten: (() => void) | undefined;
  #begun = false;

  constructor(em: EntityManager, notifications: Notifications, log: Logger, startParts: StartParts) {
    this.#em = em;
    this.#notifications = notifications;
    this.#log = log;
    this.#startParts = startParts;
    this.#looking = new Coalesced('look whether the runner is released', log, () => this.#look());
  }

  async start(): Promise<void> {
    const { heldSince, heldBecause } = await readInstallation(this.#em.fork());
    if (heldSince === null) return this.#begin();
    this.#log.warn(
      { heldSince, heldBecause },
      'the runner is held and fires nothing; if this is the real installation now, say so: npm run resume',
    );
    this.#unlisten = this.#notifications.on('slotkeeper_installation', () => this.#looking.request());
    this.#timer = setInterval(() => this.#looking.request(), POLL_MS);
    this.#looking.request();
  }

  async stop(): Promise<void> {
    this.#ignore();
    await this.#looking.stop();
    await this.#parts.releaseAll();
  }

  async #look(): Promise<void> {
    if (this.#begun) return;
    const { heldSince } = await readInstallation(this.#em.fork());
    if (heldSince !== null) return;
    this.#log.info('the runner is released');
    await this.#begin();
    this.#ignore();
  }

  /** If a part cannot start, the parts before it are stopped, and the next check tries again. */
  async #begin(): Promise<void> {
    try {
      await this.#startParts(this.#parts);
      this.#begun = true;
    } catch (error) {
      await this.#parts.releaseAll().catch(() => undefined);
      throw error;
    }
  }

  #ignore(): void {
    clearInterval(this.#timer);
    this.#unlisten?.();
  }
}
