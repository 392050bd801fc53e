import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { FINAL_STATES } from '../entities/run.ts';
import { type EventTail, FROM_START } from '../events/tail.ts';

/** How often the run itself is looked at, for an event whose wake-up was lost. */
const POLL_MS = 1_000;

/**
 * Waits until a run is finished or the time is over, whichever process runs it. It is woken by the event log and looks
 * at the run: the events are only hints here. Returns whether the run is finished.
 */
export async function waitForRun(
  em: EntityManager,
  tail: EventTail,
  runId: number,
  waitSeconds: number,
): Promise<boolean> {
  const deadline = Date.now() + waitSeconds * 1_000;
  // Where the log cannot be read, the polls remain.
  const events = await tail.subscribe({ runId }, FROM_START).catch(() => NEVER);
  let next = nextEvent(events, tail);
  try {
    for (;;) {
      if (await isFinished(em, runId)) return true;
      const left = deadline - Date.now();
      // A process that stops answers at once; the run continues elsewhere.
      if (left <= 0 || tail.isStopped) return false;
      const woken = await wakeOrTimeout(next, Math.min(left, POLL_MS));
      if (woken) next = nextEvent(events, tail);
    }
  } finally {
    await events.return?.();
  }
}

const NEVER: AsyncIterator<unknown> = { next: () => new Promise(() => undefined) };

/** Resolves with the next event, or when the tail stops. If the log fails it never resolves, and polling remains. */
function nextEvent(events: AsyncIterator<unknown>, tail: EventTail): Promise<void> {
  return new Promise((resolve) => {
    events.next().then(
      ({ done }) => {
        if (!done || tail.isStopped) resolve();
      },
      () => undefined,
    );
  });
}

async function wakeOrTimeout(event: Promise<void>, milliseconds: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), milliseconds);
  });
  try {
    return await Promise.race([event.then(() => true), timeout]);
  } finally {
    clearTimeout(timer);
  }
}

async function isFinished(em: EntityManager, runId: number): Promise<boolean> {
  const { rows } = await sql<{ finished: boolean }>`
    select state = any(${[...FINAL_STATES]}) as finished from run where id = ${runId}
  `.execute(em.fork().getKysely());
  return rows[0]?.finished ?? true;
}
