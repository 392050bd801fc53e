// Load time, size and responsiveness of the dashboard, with 100,000 tasks and under load. Measured in a real browser;
// a measurement over the limit is repeated, since other work on the machine may have disturbed it.
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../support/app.ts';
import { hasBrowser } from '../support/browser.ts';
import { addDailyTasks } from '../support/daily-tasks.ts';
import { type Dashboard, openDashboard } from '../support/dashboard.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { rows } from '../support/races.ts';
import { type HeldAttempt, heldClass } from '../support/test-classes.ts';

const TASKS = 100_000;
const FIRST_LOAD_BYTES = 250_000;
const INTERACTIVE_MS = 1_500;
const LONG_TASK_MS = 200;
const TRIES = 5;
/** Concurrent runs, and log lines per second of each. */
const RUNS = 10;
const LINES = 5;
const WATCHED_MS = 10_000;

interface Load {
  milliseconds: number;
  /** Transferred over the network. */
  bytes: number;
}

describe.skipIf(!hasBrowser)('the dashboard of 100,000 tasks', () => {
  const held = heldClass();
  let database: TestDatabase;
  let app: TestApp;
  let dashboard: Dashboard;
  let page: Page;

  beforeAll(async () => {
    database = await testDatabase();
    app = await startTestApp(database.url, { taskClasses: [held.taskClass], settings: { CONCURRENCY: RUNS } });
    await addDailyTasks(database, TASKS);
    await rows(
      database.orm.em,
      `insert into run (task_id, slot, trigger, state, actor_id, attempt, queued_at, started_at, finished_at, message)
       select task.id, slot, 'SCHEDULE', case when task.id % 50 = 0 then 'FAILED' else 'SUCCEEDED' end, 1, 1, slot,
         slot, slot + (task.id % 60) * interval '1 second', 'Done.'
       from task, generate_series(1, 3) as days,
         lateral (select next_run_at - days * interval '1 day' as slot) as its order by slot`,
    );
    await rows(database.orm.em, 'vacuum analyze run');
    dashboard = await openDashboard();
    ({ page } = dashboard);
    await dashboard.signIn(app.address);
    await page.getByText('Live').waitFor();
  });

  afterAll(async () => {
    await dashboard?.close();
    await app?.stop();
    await database?.close();
  });

  /** Loads a page without cache, until `count` visible elements match. Measures from the navigation. */
  async function load(path: string, count: number, selector: string, text: string): Promise<Load> {
    const debug = await page.context().newCDPSession(page);
    let bytes = 0;
    await debug.send('Network.enable');
    await debug.send('Network.setCacheDisabled', { cacheDisabled: true });
    debug.on('Network.loadingFinished', ({ encodedDataLength }) => {
      bytes += encodedDataLength;
    });
    await page.goto(`${app.address}${path}`);
    // Checked before each frame; a locator polls only about every half second.
    const seen = await page.waitForFunction(
      (wanted) => {
        const fitting = [...document.querySelectorAll<HTMLElement>(wanted.selector)].filter(
          (element) => element.checkVisibility() && element.textContent.includes(wanted.text),
        );
        return fitting.length >= wanted.count && performance.now();
      },
      { count, selector, text },
      { polling: 'raf' },
    );
    const milliseconds = Number(await seen.jsonValue());
    await debug.detach();
    return { milliseconds, bytes };
  }

  test.each([
    ['/', 1, 'h2', 'Runners'],
    ['/tasks', 50, 'button', 'Run now'],
    ['/tasks?order=name&q=9999', 1, 'a', 'Task 9999'],
    ['/tasks/VGFzazo3Nzc3Nw==', 3, 'tr', 'Succeeded'],
  ])('%s is usable within 1.5 s, and loads less than 250 kB', async (path, count, selector, text) => {
    const times: number[] = [];
    for (let tries = 0; tries < TRIES && !times.some((time) => time < INTERACTIVE_MS); tries += 1) {
      const { milliseconds, bytes } = await load(path, count, selector, text);
      times.push(Math.round(milliseconds));
      expect(bytes).toBeGreaterThan(50_000);
      expect(bytes).toBeLessThan(FIRST_LOAD_BYTES);
      process.stdout.write(`${path}: ${Math.round(bytes / 1_000)} kB, ${times.join(', ')} ms\n`);
    }
    expect(Math.min(...times)).toBeLessThan(INTERACTIVE_MS);
  });

  /** Ten runs that together log fifty lines a second, until stopped. */
  async function startRuns(): Promise<{ attempts: HeldAttempt[]; stop: () => void }> {
    const { addTask } = await app.query<{ addTask: { task: { id: string } } }>(
      'mutation ($class: String!) { addTask(input: { name: "Busy", className: $class, policy: { overlap: ALLOW } }) { task { id } } }',
      { class: held.taskClass.name },
    );
    const attempts: HeldAttempt[] = [];
    for (let count = 0; count < RUNS; count += 1) {
      await app.query('mutation ($id: ID!) { executeTask(input: { task: { id: $id } }) { run { id } } }', {
        id: addTask.task.id,
      });
      attempts.push(await held.next());
    }
    let line = 0;
    const timer = setInterval(() => {
      line += 1;
      for (const { context } of attempts) {
        context.log(`line ${line}`);
        context.progress((line % 100) / 100);
      }
    }, 1_000 / LINES);
    return { attempts, stop: () => clearInterval(timer) };
  }

  /** The longest task of the main thread during the next `milliseconds`, in milliseconds. */
  function longestTask(milliseconds: number): Promise<number> {
    return page.evaluate(async (duration) => {
      let longest = 0;
      const observer = new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) longest = Math.max(longest, entry.duration);
      });
      observer.observe({ type: 'longtask' });
      await new Promise((resolve) => setTimeout(resolve, duration));
      observer.disconnect();
      return longest;
    }, milliseconds);
  }

  test('responds within 200 ms while fifty lines a second arrive, on every page that shows them', async () => {
    const { attempts, stop } = await startRuns();
    const { runs } = await app.query<{ runs: { edges: { node: { id: string } }[] } }>(
      '{ runs(first: 1, filter: { states: [RUNNING] }) { edges { node { id } } } }',
    );
    try {
      for (const path of ['/', '/tasks?q=Busy', `/runs/${encodeURIComponent(runs.edges[0]?.node.id ?? '')}`]) {
        await page.goto(`${app.address}${path}`);
        await page.getByText('Busy').first().waitFor();
        const longest: number[] = [];
        while (longest.length < TRIES && !longest.some((time) => time < LONG_TASK_MS)) {
          longest.push(Math.round(await longestTask(WATCHED_MS)));
        }
        process.stdout.write(`${path}: the longest task ${longest.join(', ')} ms\n`);
        expect(Math.min(...longest)).toBeLessThan(LONG_TASK_MS);
      }
      await page.goto(app.address);
      await page
        .getByText(/^line \d+$/)
        .nth(RUNS - 1)
        .waitFor();
    } finally {
      stop();
      for (const { succeed } of attempts) succeed('Done.');
    }
    await expect.poll(() => page.getByText('No run is running.').isVisible()).toBe(true);
  });
});
