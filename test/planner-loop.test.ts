// How often the planner looks, while another process holds what is due.
import type { EntityManager } from '@mikro-orm/postgresql';
import type pg from 'pg';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Notifications } from '../src/database/notifications.ts';
import { Jobs } from '../src/runner/jobs.ts';
import { PlannerLoop } from '../src/runner/planner-loop.ts';
import { type TestDatabase, testDatabase } from './support/database.ts';
import { OWN_CLASSES } from './support/engine.ts';
import { addTasks, everyHourAt, rows } from './support/races.ts';

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

/** Counts how often the pool hands out a connection. */
async function countUses(): Promise<() => number> {
  const connection = em.getConnection() as unknown as { getNativeClient(): Promise<pg.Pool> };
  let uses = 0;
  (await connection.getNativeClient()).on('acquire', () => {
    uses += 1;
  });
  return () => uses;
}

test('however often it is woken meanwhile, it looks no more often than each 50 ms once nobody wakes it', async () => {
  await addTasks(em, { count: 1, rule: everyHourAt(0), from: new Date(Date.now() - 2 * 3_600_000) });
  const holder = em.fork();
  await holder.begin();
  await holder.execute('select from task for update');
  const uses = await countUses();
  const loop = new PlannerLoop(em, jobs, notifications, log, OWN_CLASSES);
  loop.start();
  try {
    for (let wakes = 1; wakes <= 40; wakes += 1) {
      const before = uses();
      notifications.notify('slotkeeper_schedule');
      await expect.poll(uses, { interval: 2 }).toBeGreaterThan(before);
    }
    const [begun, usesBefore] = [performance.now(), uses()];
    await expect.poll(() => performance.now() - begun, { interval: 100 }).toBeGreaterThan(2_000);
    const looks = (performance.now() - begun) / 50;
    // To fire, to see what is left, to set the alarms, and now and then to compute the slots after the next.
    expect(uses() - usesBefore).toBeLessThan(5 * looks);
    expect(uses()).toBeGreaterThan(usesBefore);
  } finally {
    await holder.rollback();
    await loop.stop();
  }
  expect(await rows(em, 'select count(*)::int as n from task where next_run_at > now()')).toHaveLength(1);
});
