// The dashboard in a real browser, against the real server and its database.
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { HOLDING, startTestApp, type TestApp } from '../support/app.ts';
import { hasBrowser } from '../support/browser.ts';
import { type Dashboard, openDashboard } from '../support/dashboard.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { rows } from '../support/races.ts';
import { heldClass } from '../support/test-classes.ts';

if (!hasBrowser) process.stdout.write('no chromium: the tests of the dashboard are skipped\n');

describe.skipIf(!hasBrowser)('the dashboard', () => {
  const held = heldClass();
  let database: TestDatabase;
  let app: TestApp;
  let dashboard: Dashboard;
  let page: Page;
  let faults: string[];

  beforeAll(async () => {
    database = await testDatabase();
    app = await startTestApp(database.url, { taskClasses: [held.taskClass] });
    dashboard = await openDashboard();
    ({ page, faults } = dashboard);
    await app.query(
      `mutation ($held: String!, $holding: String!) {
        held: addTask(input: { name: "Held", className: $held, policy: { overlap: ALLOW } }) { task { id } }
        hold: addTask(input: { name: "Hold", className: $holding, repeatItems: [{ hour: 4 }] }) { task { id } }
      }`,
      { held: held.taskClass.name, holding: HOLDING },
    );
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

  test('signs in with a key, rejects a wrong secret, and allows no inline or third-party content', async () => {
    const response = await page.goto(app.address);
    expect(response?.headers()['content-security-policy']).toBe(
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    );
    await dashboard.signIn(app.address, 'wrong');
    await byRole('alert').getByText('The key or the secret is wrong.').waitFor();
    await dashboard.signIn(app.address);
    await byRole('heading', 'Now').waitFor();
    await page.getByText('Live').waitFor();
    expect(faults.filter((fault) => !fault.includes('401'))).toEqual([]);
  });

  test('shows a run live from its start to its final message, and cancels another', async () => {
    await byRole('link', 'Tasks').click();
    await byRole('button', /Run now.*Held/).click();
    await byRole('link', /^(Queued|Running)/).click();
    const { context, succeed } = await held.next();
    context.log('the first line');
    context.progress(0.25);
    await page.getByText('the first line').waitFor();
    await expect.poll(() => page.getByRole('progressbar').getAttribute('value')).toBe('0.25');
    succeed('It is done.');
    await page.locator('.outcome').getByText('It is done.').waitFor();

    await byRole('link', 'Tasks').click();
    await byRole('button', /Run now.*Held/).click();
    await held.next();
    await byRole('link', 'Now').click();
    await byRole('link', 'Held').first().click();
    await byRole('button', 'Cancel').click();
    await page.locator('.outcome').getByText('Cancelled on request.').waitFor();
    expect(faults).toEqual([]);
  });

  test('finds, pauses and resumes a task', async () => {
    await byRole('link', 'Tasks').click();
    await page.getByLabel('Search').fill('hold');
    await page.getByRole('rowheader', { name: 'Held' }).waitFor({ state: 'detached' });
    await byRole('button', /Pause.*Hold/).click();
    await page.getByRole('cell', { name: 'Paused' }).waitFor();
    await byRole('button', /Resume.*Hold/).click();
    await page.getByRole('cell', { name: /^in / }).waitFor();
    expect(faults).toEqual([]);
  });

  test('shows the schedule of a task, its next slots, and why it did not run at a chosen time', async () => {
    await page.goto(`${app.address}/tasks`);
    await byRole('link', 'Hold').click();
    await byRole('heading', 'Hold').waitFor();
    await page.getByText('Every day at 04:00').waitFor();
    await expect.poll(() => page.locator('.slots li').count()).toBe(8);
    await page.getByLabel('At', { exact: true }).fill('2020-01-01T04:00');
    await byRole('button', 'Explain').click();
    await page.locator('.outcome').filter({ hasText: 'The task was added at' }).getByText('no task').waitFor();
    await byRole('link', 'Tasks').click();
    await byRole('link', 'Held').click();
    await page.getByText('only on request', { exact: true }).waitFor();
    await page.getByRole('row').filter({ hasText: 'Succeeded' }).getByText('It is done.').waitFor();
    expect(faults).toEqual([]);
  });

  test('shows a failed run, and why a slot was skipped', async () => {
    await byRole('link', 'Tasks').click();
    await byRole('button', /Run now.*Held/).click();
    (await held.next()).fail('The disk is full.');
    await byRole('link', 'Now').click();
    const wrong = page.getByRole('region', { name: 'Failed and skipped' }).getByRole('listitem');
    await wrong.filter({ hasText: 'The disk is full.' }).getByRole('link', { name: 'Held' }).click();
    await page.locator('.outcome').getByText('The disk is full.').waitFor();

    // Yesterday, while an earlier run was unfinished.
    const slot = new Date(new Date().setUTCHours(4, 0, 0, 0) - 86_400_000).toISOString();
    const { em } = database.orm;
    await rows(em, `update schedule_version set valid_from = now() - interval '3 days' where task_id = 2`);
    await rows(em, `update task set created_at = now() - interval '3 days' where id = 2`);
    await rows(
      em,
      `insert into run (task_id, slot, trigger, state, skip_reason, actor_id, queued_at, finished_at, message)
       values (2, ?, 'SCHEDULE', 'SKIPPED', 'OVERLAP', 1, ?, ?, 'Skipped: an earlier run of the task was not finished.')`,
      [slot, slot, slot],
    );
    await page.goto(`${app.address}/tasks`);
    await byRole('link', 'Hold').click();
    await page.getByRole('row').filter({ hasText: 'Skipped' }).waitFor();
    const picked = await page.evaluate((instant) => {
      const at = new Date(instant);
      return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
    }, slot);
    await page.getByLabel('At', { exact: true }).fill(picked);
    await byRole('button', 'Explain').click();
    await page
      .locator('.outcome')
      .filter({ hasText: 'an earlier run of the task was not finished' })
      .getByText('skipped', { exact: true })
      .waitFor();
    expect(faults).toEqual([]);
  });

  test('reconnects after a server restart, with no line of a run lost or duplicated', async () => {
    await byRole('link', 'Tasks').click();
    await page.getByLabel('Search').fill('held');
    await byRole('button', /Run now.*Held/).click();
    await byRole('link', /^(Queued|Running)/).click();
    const { context, succeed } = await held.next();
    context.log('before the restart');
    await page.getByText('before the restart').waitFor();
    const { port } = new URL(app.address);
    // The stop also ends the runner, so the run needs a second attempt.
    await app.stop();
    await page.getByText('Reconnecting…').waitFor();
    app = await startTestApp(database.url, { taskClasses: [held.taskClass], settings: { PORT: Number(port) } });
    succeed('too late');
    const again = await held.next();
    again.context.log('after the restart');
    again.succeed('It went on.');
    await page.locator('.outcome').getByText('It went on.').waitFor();
    const lines = await page.locator('.lines .text').allTextContents();
    expect(lines.filter((line) => line.endsWith('the restart'))).toEqual(['before the restart', 'after the restart']);
  });

  test.each(['/', '/tasks', '/tasks/VGFzazox', '/runs/UnVuOjE='])(
    '%s is accessible: axe-core finds no violation',
    async (path) => {
      await page.goto(`${app.address}${path}`);
      await page.getByRole('navigation', { name: 'Pages', exact: true }).waitFor();
      await page.locator('table, .lines').first().waitFor();
      expect(await dashboard.violations()).toEqual([]);
    },
  );
});
