// The log page: live, in the past, and while many events are written.
import { setTimeout as pause } from 'node:timers/promises';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { HOLDING, startTestApp, type TestApp } from '../support/app.ts';
import { hasBrowser } from '../support/browser.ts';
import { type Dashboard, openDashboard } from '../support/dashboard.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { rows } from '../support/races.ts';
import { appendRunEvents, seqOf } from '../support/streams.ts';

describe.skipIf(!hasBrowser)('the log on the dashboard', () => {
  let database: TestDatabase;
  let app: TestApp;
  let dashboard: Dashboard;
  let page: Page;

  beforeAll(async () => {
    database = await testDatabase();
    app = await startTestApp(database.url);
    dashboard = await openDashboard();
    page = dashboard.page;
    await app.query(
      `mutation ($className: String!) {
        first: addTask(input: { name: "First task", className: $className }) { task { id } }
        second: addTask(input: { name: "Second task", className: $className }) { task { id } }
      }`,
      { className: HOLDING },
    );
    await dashboard.signIn(app.address);
    await page.getByText('Live').waitFor();
  });

  beforeEach(() => {
    dashboard.faults.length = 0;
  });

  afterAll(async () => {
    await dashboard?.close();
    await app?.stop();
    await database?.close();
  });

  const byRole: Dashboard['byRole'] = (...args) => dashboard.byRole(...args);

  const violations = () => dashboard.violationsInBoth();

  const lines = () => page.locator('.event-log > li');
  /** The log positions of the lines shown. */
  async function shown(): Promise<number[]> {
    const cursors = await lines().evaluateAll((all) => all.map((line) => line.getAttribute('data-cursor') ?? ''));
    return cursors.map(seqOf);
  }

  /** The first difference between the lines shown and the log, newest first, from index `from` to `to`; null for none. */
  async function fault(from = 0, to?: number): Promise<string | null> {
    const written = await rows<{ seq: string }>(database.orm.em, 'select seq from event order by seq desc');
    const expected = written.map(({ seq }) => Number(seq)).slice(from, to);
    const found = await shown();
    const wrong = expected.findIndex((seq, index) => seq !== found[index]);
    if (wrong === -1 && found.length === expected.length) return null;
    return `${found.length} of ${expected.length} lines, line ${wrong} is ${found[wrong]} instead of ${expected[wrong]}`;
  }

  test('shows the log live and back to its start, without gaps or duplicates while it is written', async () => {
    const { em } = database.orm;
    await appendRunEvents(em, 250, { message: 'early' });
    await byRole('link', 'Log').click();
    await expect.poll(() => lines().count()).toBe(100);
    await page.getByText('Live').waitFor();
    let isPaging = true;
    const write = async () => {
      for (let count = 0; isPaging && count < 300; count += 1) {
        await appendRunEvents(em, 3, { message: `meanwhile ${count}` });
        await pause(50);
      }
    };
    const writing = write();
    const older = byRole('button', 'Show older');
    const pageBack = async () => {
      // The button disappears at the start of the log.
      await older.click({ timeout: 1_000 }).catch(() => undefined);
      return (await shown()).at(-1);
    };
    await expect.poll(pageBack, { interval: 0 }).toBe(1);
    isPaging = false;
    await writing;
    await expect.poll(() => fault(), { interval: 250 }).toBeNull();
    expect((await shown()).length).toBeGreaterThan(260);
    await older.waitFor({ state: 'detached' });

    await byRole('button', 'Pause').click();
    await page.getByRole('status').getByText('Paused').waitFor();
    await appendRunEvents(em, 1, { message: 'while it was paused' });
    expect(await violations()).toEqual([]);
    expect(await page.getByText('while it was paused').count()).toBe(0);
    await byRole('button', 'Follow').click();
    await page.getByText('while it was paused').waitFor();
    expect(dashboard.faults).toEqual([]);
  });

  test('holds at most 2,000 lines, reloads removed lines at either end, and never leaves a gap', async () => {
    await appendRunEvents(database.orm.em, 1_900, { message: 'a flood' });
    await page.getByText('Older lines were removed').waitFor();
    await expect.poll(() => fault(0, 2_000), { interval: 250 }).toBeNull();
    await byRole('button', 'Show older').click();
    await page.getByText('Newer lines were removed').waitFor();
    expect(await fault(100, 2_100)).toBeNull();
    await page.getByRole('status').getByText('Paused').waitFor();
    await byRole('button', 'Follow').click();
    await expect.poll(() => fault(0, 2_000), { interval: 250 }).toBeNull();
    // A page that is further behind than it can hold restarts at the end of the log.
    await appendRunEvents(database.orm.em, 2_100, { message: 'another flood' });
    await expect.poll(() => fault(0, 100), { interval: 250 }).toBeNull();
    expect(dashboard.faults).toEqual([]);
  });

  test('filters the log, and keeps the filter in the address', async () => {
    await page.goto(`${app.address}/log`);
    await page.getByText('Types: all').click();
    await page.getByLabel('Task added').check();
    await expect.poll(() => lines().count()).toBe(2);
    await page.getByLabel('Task paused').check();
    await page.getByLabel('Task', { exact: true }).fill('SECOND');
    await byRole('button', /Second task/).click();
    await expect.poll(() => lines().count()).toBe(1);
    await page.reload();
    await expect.poll(() => lines().count()).toBe(1);
    await page.getByText('Second task (2)').or(page.locator('.chosen').getByText('Second task')).waitFor();
    await app.query('mutation { pauseTask(input: { task: { legacyId: 1 } }) { task { id } } }');
    await app.query('mutation { pauseTask(input: { task: { legacyId: 2 } }) { task { id } } }');
    await lines().filter({ hasText: 'Task paused' }).waitFor();
    expect(await lines().allTextContents()).toEqual([
      expect.stringMatching(/Task paused.*Second task/),
      expect.stringMatching(/Task added.*Second task/),
    ]);
    await byRole('button', /Show only events by/)
      .first()
      .click();
    await page.locator('.chosen').getByText('admin').waitFor();
    expect(new URL(page.url()).search).toContain('actor=');
    await page.goto(`${app.address}/log?to=2020-01-01T00:00:00Z`);
    await page.getByText('No event matches this filter.').waitFor();
    await page.goto(`${app.address}/log?type=TASK_PAUSED`);
    await lines().first().getByRole('link', { name: 'Second task' }).click();
    await byRole('heading', 'Second task').waitFor();
    await app.query('mutation { executeTask(input: { task: { legacyId: 2 }, waitSeconds: 10 }) { run { id } } }');
    await page.goto(`${app.address}/log`);
    await lines()
      .filter({ hasText: 'Succeeded' })
      .first()
      .getByRole('link', { name: /run of Second task/ })
      .click();
    await page.locator('.outcome').waitFor();
    expect(dashboard.faults).toEqual([]);
  });
});
