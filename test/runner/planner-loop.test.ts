// How often the planner looks, while another process holds what is due.
import type { EntityManager } from '@mikro-orm/postgresql';
import type pg from 'pg';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { Notifications } from '../../src/database/notifications.ts';
import { LOCKED_RETRY_MS, PlannerLoop } from '../../src/runner/planner-loop.ts';
import { Jobs } from '../../src/scheduling/jobs.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { OWN_CLASSES } from '../support/engine.ts';
import { addTasks, everyHourAt } from '../support/races.ts';

const log = pino({ level: 'silent' });
let database: TestDatabase;
let em: EntityManager;
let jobs: Jobs;
let notifications: Notifications;

beforeAll(async () => {
  database = await testDatabase();
  em = database.orm.em;
  jobs = new Jobs(database.url, log, false);
  await jobs.start();
  notifications = new Notifications(database.url, log);
  await notifications.start();
});

afterAll(async () => {
  await notifications?.stop();
  await jobs?.stop();
  await database?.close();
});

/** How many timers of so many milliseconds were pending at once, at most, until `restore`. */
function countTimers(milliseconds: number) {
  const pending = new Set<unknown>();
  let most = 0;
  const { setTimeout: set, clearTimeout: clear } = globalThis;
  vi.spyOn(globalThis, 'setTimeout').mockImplementation(((
    handler: (...values: unknown[]) => void,
    delay?: number,
    ...values: unknown[]
  ) => {
    const timer = set(() => {
      pending.delete(timer);
      handler(...values);
    }, delay);
    if (delay === milliseconds) pending.add(timer);
    most = Math.max(most, pending.size);
    return timer;
  }) as typeof setTimeout);
  vi.spyOn(globalThis, 'clearTimeout').mockImplementation((timer) => {
    pending.delete(timer);
    clear(timer);
  });
  return { most: () => most, restore: () => vi.restoreAllMocks() };
}

async function countUses(): Promise<() => number> {
  const connection = em.getConnection() as unknown as { getNativeClient(): Promise<pg.Pool> };
  let uses = 0;
  (await connection.getNativeClient()).on('acquire', () => {
    uses += 1;
  });
  return () => uses;
}

test('however often it is woken, it waits once to look again at what another process holds', async () => {
  await addTasks(em, { count: 1, rule: everyHourAt(0), from: new Date(Date.now() - 2 * 3_600_000) });
  const holder = em.fork();
  await holder.begin();
  await holder.execute('select from task for update');
  const uses = await countUses();
  const timers = countTimers(LOCKED_RETRY_MS);
  const loop = new PlannerLoop(em, jobs, notifications, log, OWN_CLASSES);
  loop.start();
  try {
    for (let wakes = 1; wakes <= 40; wakes += 1) {
      const before = uses();
      notifications.notify('slotkeeper_schedule');
      await expect.poll(uses, { interval: 2 }).toBeGreaterThan(before);
    }
    await expect.poll(timers.most, { interval: 2 }).toBe(1);
  } finally {
    timers.restore();
    await holder.rollback();
    await loop.stop();
  }
});
