// The timeline in a real browser, against the real server and its database.
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../support/app.ts';
import { hasBrowser } from '../support/browser.ts';
import { EVERY } from '../support/calendar-oracle.ts';
import { type Dashboard, openDashboard } from '../support/dashboard.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { addTasks, everyHourAt, rows } from '../support/races.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

describe.skipIf(!hasBrowser)('the timeline', () => {
  const now = Math.floor(Date.now() / MINUTE) * MINUTE;
  const inMinutes = (minutes: number) => new Date(now + minutes * MINUTE);
  let database: TestDatabase;
  let app: TestApp;
  let dashboard: Dashboard;
  let page: Page;
  let faults: string[];

  beforeAll(async () => {
    database = await testDatabase();
    // Without a runner, planned slots stay planned.
    app = await startTestApp(database.url, { settings: { ROLE: 'gateway' } });
    const { em } = database.orm;
    // Five tasks that had a slot ten minutes ago and have the next one in ten minutes.
    const rule = everyHourAt(inMinutes(10).getUTCMinutes());
    await addTasks(em, { count: 5, rule, from: inMinutes(0) });
    await rows(em, 'update schedule_version set valid_from = ?::timestamptz', [inMinutes(-30).toISOString()]);
    await rows(
      em,
      `insert into run (task_id, slot, trigger, state, skip_reason, actor_id, queued_at, finished_at, message)
       select id, ?::timestamptz, 'SCHEDULE', state, case state when 'SKIPPED' then 'OVERLAP' end, 1, now(), now(),
         case state when 'FAILED' then 'The disk is full.' end
       from task join unnest(array['FAILED', 'SKIPPED', 'SUCCEEDED', 'SUCCEEDED', 'SUCCEEDED'])
         with ordinality as s (state, n) on n = id`,
      [inMinutes(-10).toISOString()],
    );
    // A task that ran every minute, missed eleven slots and is now paused.
    const [minutely = 0] = await addTasks(em, { count: 1, rule: EVERY, from: inMinutes(-60) });
    await rows(em, 'update task set next_run_at = null, active = false where id = ?', [minutely]);
    await rows(
      em,
      `insert into slot_gap (task_id, from_slot, to_slot, reason, count) values (?, ?::timestamptz, ?::timestamptz, 'MISSED', 11)`,
      [minutely, inMinutes(-25).toISOString(), inMinutes(-15).toISOString()],
    );
    dashboard = await openDashboard();
    ({ page, faults } = dashboard);
    await dashboard.signIn(app.address);
    await page.getByRole('navigation', { name: 'Pages', exact: true }).waitFor();
  });

  beforeEach(() => {
    faults.length = 0;
  });

  afterAll(async () => {
    await dashboard?.close();
    await app?.stop();
    await database?.close();
  });

  const byRole: Dashboard['byRole'] = (...args) => dashboard.byRole(...args);
  const legend = () => page.getByRole('list', { name: 'Slots in this range' }).getByRole('listitem');
  const shown = async () => Object.fromEntries((await legend().allTextContents()).map((text) => text.split(' ')));
  const open = (query: string) => page.goto(`${app.address}/timeline?${query}`);
  const hour = `zoom=hour&from=${inMinutes(-30).toISOString()}`;

  async function counted(from: Date, to: Date, stepMinutes: number) {
    const fields = ['failed', 'skipped', 'cancelled', 'succeeded', 'running', 'queued', 'planned'];
    const { slotLoad } = await app.query<{ slotLoad: { buckets: Record<string, number>[] } }>(
      `query ($from: DateTime!, $to: DateTime!, $step: Int!) {
        slotLoad(from: $from, to: $to, stepMinutes: $step) { buckets { ${fields.join(' ')} } } }`,
      { from, to, step: stepMinutes },
    );
    return fields.map((field) => String(slotLoad.buckets.reduce((total, bucket) => total + (bucket[field] ?? 0), 0)));
  }

  test('shows the past and future slots of the hour around now, with their states', async () => {
    await page.goto(`${app.address}/tasks`);
    await byRole('link', 'Timeline').click();
    await byRole('heading', 'Timeline').waitFor();
    await expect.poll(() => byRole('button', 'Now').getAttribute('aria-pressed')).toBe('true');
    const expected = { Failed: '1', Skipped: '12', Cancelled: '0', Succeeded: '3', Running: '0', Waiting: '0' };
    await expect.poll(shown).toEqual({ ...expected, Planned: '5' });
    await open(hour);
    await expect.poll(shown).toEqual({ ...expected, Planned: '5' });
    expect(Object.values(await shown())).toEqual(await counted(inMinutes(-30), inMinutes(30), 1));

    // Eleven minutes of the gap, the minute of the runs and the minute of the planned slots.
    const bars = page.getByRole('option');
    expect(await bars.count()).toBe(13);
    expect(await bars.nth(11).getAttribute('aria-label')).toMatch(/: 1 failed, 1 skipped, 3 succeeded$/);
    await bars.nth(12).hover();
    await page.locator('.tip').getByText('Planned').waitFor();
    const busiest = page.locator('.busiest li');
    expect(await busiest.allTextContents()).toEqual([
      expect.stringMatching(/ 5 slots$/),
      expect.stringMatching(/ 5 slots$/),
    ]);
    const lanes = page.locator('.lanes tr');
    await expect.poll(() => lanes.count()).toBe(6);
    expect(await lanes.nth(0).textContent()).toContain('1 failed, 1 planned');
    expect(await lanes.nth(5).locator('.mark.skipped').count()).toBe(11);
    await page.getByText('11 slots from').waitFor();
    expect(await dashboard.violations()).toEqual([]);
    expect(faults).toEqual([]);
  });

  test('shows by keyboard alone which tasks a minute has and why one did not run, and opens a run', async () => {
    await open(hour);
    await page.getByRole('listbox').focus();
    for (const key of ['End', 'ArrowLeft', 'Enter']) await page.keyboard.press(key);
    await expect
      .poll(() => new URL(page.url()).searchParams.get('at'))
      .toBe(`${inMinutes(-10).toISOString().slice(0, 16)}Z`);
    const tasks = page.getByRole('region', { name: /^Tasks at/ }).getByRole('row');
    await expect.poll(() => tasks.count()).toBe(6);
    const skipped = tasks.filter({ hasText: 'an earlier run was unfinished' });
    await skipped.getByRole('button', { name: /Why/ }).click();
    await skipped.getByRole('status').waitFor();
    expect(await dashboard.violations()).toEqual([]);
    await page.reload();
    await tasks
      .filter({ hasText: 'Failed' })
      .getByRole('link', { name: /Failed/ })
      .click();
    await page.locator('.outcome').getByText('The disk is full.').waitFor();
    await page.goBack();
    const failed = page.getByRole('region', { name: 'Failed and skipped' }).getByRole('row');
    await expect.poll(() => failed.filter({ hasText: 'The disk is full.' }).count()).toBe(1);
    await page.locator('.lanes, .chips').first().waitFor();
    expect(faults).toEqual([]);
  });

  test('zooms out to a month and from a pile-up back to its minute, in dark mode too', async () => {
    await page.emulateMedia({ colorScheme: 'dark' });
    await open('zoom=hour');
    await byRole('button', 'Month').click();
    await expect.poll(() => new URL(page.url()).search).toBe('?zoom=month');
    // Five tasks an hour, until the end of the month shown.
    await expect.poll(async () => Number((await shown()).Planned?.replace(',', ''))).toBeGreaterThan(1_500);
    await page.getByText('The chart as a table').click();
    const table = page.getByRole('table', { name: 'Slots by time' }).getByRole('row');
    // The rows are rendered when the table is opened.
    await expect.poll(async () => (await table.count()) - (await page.getByRole('option').count())).toBe(1);
    expect(await dashboard.violations()).toEqual([]);
    await page.locator('.busiest a').first().click();
    await expect.poll(() => new URL(page.url()).searchParams.get('zoom')).toBe('hour');
    await page.getByRole('heading', { name: /^Tasks at/ }).waitFor();
    await expect.poll(() => page.getByRole('option', { selected: true }).count()).toBe(1);
    expect(await dashboard.violations()).toEqual([]);
    await byRole('button', 'Later').click();
    await byRole('button', 'Later').click();
    await expect.poll(() => page.getByText('No run failed and no slot was skipped.').count()).toBe(1);
    await byRole('button', 'Now').click();
    await expect.poll(() => new URL(page.url()).search).toBe('?zoom=hour');
    await page.emulateMedia({ colorScheme: 'light' });
    expect(faults).toEqual([]);
  });

  test('says what to do when a range is empty, and ignores an invalid address', async () => {
    await open('zoom=hour&from=2020-01-01T00:00Z');
    await page.getByText('No task has a slot in this range. Add a repeat item').waitFor();
    await open(`zoom=day&from=${new Date(now + 400 * 24 * HOUR).toISOString()}&at=nonsense`);
    await expect.poll(async () => (await shown()).Planned).toBe('120');
    expect(await dashboard.violations()).toEqual([]);
    expect(faults).toEqual([]);
  });
});
