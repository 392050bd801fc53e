// The pages of the dashboard on which admins look after users, keys and old callers, and everybody reads the log.
import { setTimeout as pause } from 'node:timers/promises';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ADMIN, clientOf, HOLDING, startTestApp, type TestApp } from './support/app.ts';
import { hasBrowser } from './support/browser.ts';
import { type Dashboard, openDashboard, openTab } from './support/dashboard.ts';
import { type TestDatabase, testDatabase } from './support/database.ts';
import { rows } from './support/races.ts';
import { appendRunEvents, seqOf } from './support/streams.ts';

if (!hasBrowser) process.stdout.write('no chromium: the tests of the dashboard are skipped\n');

describe.skipIf(!hasBrowser)('the dashboard', () => {
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
  const dialog = () => page.getByRole('dialog');
  const closed = () => dialog().waitFor({ state: 'detached' });
  const inDialog = (name: string) => dialog().getByRole('button', { name, exact: true });

  /** What axe-core finds on the page as it is, in light and in dark. */
  async function violations(): Promise<string[]> {
    const found = await dashboard.violations();
    await page.emulateMedia({ colorScheme: 'dark' });
    found.push(...(await dashboard.violations(['color-contrast'])));
    await page.emulateMedia({ colorScheme: 'light' });
    return found;
  }

  test('adds a user, makes a key that lets them in, changes their role and revokes the key: their tab follows at once', async () => {
    await byRole('link', 'API keys').click();
    await byRole('button', 'Add user').click();
    await dialog().getByLabel('Name').fill('admin');
    await inDialog('Add').click();
    await dialog().getByText('is that of user 1 already').waitFor();
    expect(await dialog().getByLabel('Name').getAttribute('aria-invalid')).toBe('true');
    await dialog().getByLabel('Name').fill('Zoe');
    await dialog().getByLabel('Role').selectOption('VIEWER');
    expect(await violations()).toEqual([]);
    await inDialog('Add').click();
    await closed();

    await byRole('button', /Create key.*Zoe/).click();
    await inDialog('Create').click();
    const key = await dialog().getByLabel('Key').inputValue();
    const secret = await dialog().getByLabel('Secret').inputValue();
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await dialog()
      .getByRole('button', { name: /Copy.*secret/ })
      .click();
    await dialog().getByText('Copied').waitFor();
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(secret);
    expect(await violations()).toEqual([]);
    await inDialog('I have stored it').click();
    await closed();
    expect(await page.content()).not.toContain(secret);

    const theirs = await openTab({ context: page.context() });
    const signIn = async () => {
      await theirs.page.getByLabel('API key').fill(key);
      await theirs.page.getByLabel('Secret').fill(secret);
      await theirs.byRole('button', 'Sign in').click();
      await theirs.page.getByText('Live').waitFor();
    };
    await theirs.page.goto(`${app.address}/api-keys`);
    await signIn();
    // The page is not theirs: what everybody may see is shown instead.
    await theirs.byRole('heading', 'Now').waitFor();
    const links = theirs.page.getByRole('navigation').getByRole('link');
    expect(await links.allTextContents()).toEqual(['Now', 'Tasks', 'Timeline', 'Log']);

    await byRole('button', /Change.*Zoe/).click();
    await dialog().getByLabel('Role').selectOption('OPERATOR');
    await inDialog('Save').click();
    await closed();
    await theirs.byRole('button', 'Sign in').waitFor();
    await signIn();
    await theirs.page.getByText('Zoe operator').waitFor();

    await byRole('button', new RegExp(`Revoke.*${key}`)).click();
    await dialog().getByLabel('Type the key').fill('something else');
    expect(await inDialog('Revoke').isDisabled()).toBe(true);
    await dialog().getByLabel('Type the key').fill(key);
    await inDialog('Revoke').click();
    await closed();
    await theirs.byRole('button', 'Sign in').waitFor();
    await theirs.page.getByLabel('API key').fill(key);
    await theirs.page.getByLabel('Secret').fill(secret);
    await theirs.byRole('button', 'Sign in').click();
    await theirs.page.getByText('The key or the secret is wrong.').waitFor();
    await theirs.page.close();
    await page.getByText(key, { exact: true }).waitFor({ state: 'detached' });
    await page.getByLabel('Show revoked keys').check();
    await page.locator('.revoked').getByText(key).waitFor();
    expect(await violations()).toEqual([]);
  });

  test('marks the key that one is signed in with, lets nobody lock everybody out, and signs out who revokes their own', async () => {
    await page.goto(`${app.address}/api-keys`);
    await byRole('button', new RegExp(`Revoke.*${ADMIN.key}`)).click();
    await dialog().getByLabel('Type the key').fill(ADMIN.key);
    expect(await inDialog('Revoke').isDisabled()).toBe(true);
    await dialog().getByLabel('I have another key').check();
    expect(await violations()).toEqual([]);
    await inDialog('Revoke').click();
    await dialog().getByText('it would leave no admin with a key').waitFor();
    await page.keyboard.press('Escape');
    await closed();

    // With another key of an admin it goes; the first one is brought back for what follows.
    await app.query(
      'mutation { importApiKey(input: { key: "spare", secret: "s", userLegacyId: 1 }) { apiKey { key } } }',
    );
    await byRole('button', new RegExp(`Revoke.*${ADMIN.key}`)).click();
    await dialog().getByLabel('Type the key').fill(ADMIN.key);
    await dialog().getByLabel('I have another key').check();
    await inDialog('Revoke').click();
    await page.getByText('You have revoked the key that you were signed in with.').waitFor();
    await rows(database.orm.em, 'update api_key set revoked_at = null where key = ?', [ADMIN.key]);
    await dashboard.signIn(app.address);
    await page.getByText('Live').waitFor();
  });

  test('imports a key of the old installation and shows what is still called with it', async () => {
    await byRole('link', 'API keys').click();
    await byRole('button', /Import key/).click();
    await dialog().getByLabel('Key', { exact: true }).fill('32-5DAYTJQY2TZHOFOB');
    await dialog().getByLabel('Secret').fill('their old secret');
    await dialog().getByLabel('user_id').fill('31');
    await inDialog('Import').click();
    await dialog().getByText('printable ASCII').waitFor();
    await dialog().getByLabel('Secret').fill('their-old-secret');
    await inDialog('Import').click();
    await dialog().getByText('there is no user 31 yet').waitFor();
    expect(await dialog().getByLabel('Name').getAttribute('aria-invalid')).toBe('true');
    expect(await violations()).toEqual([]);
    await dialog().getByLabel('Name').fill('usernamehere');
    await inDialog('Import').click();
    await closed();
    await page.getByText('32-5DAYTJQY2TZHOFOB', { exact: true }).waitFor();

    await byRole('link', 'Legacy callers').click();
    await page.getByText('Nobody has called api.php.').waitFor();
    const old = { key: '32-5DAYTJQY2TZHOFOB', secret: 'their-old-secret' };
    expect(await clientOf(app.address, app.stop, old).legacy('target=scheduler&action=getTasks')).toContain('success');
    await rows(
      database.orm.em,
      `insert into legacy_usage (api_key_id, action, calls, last_called_at)
       select id, 'executeTask', 1234, now() - interval '31 days' from api_key where key = ?`,
      [ADMIN.key],
    );
    const theirs = page.getByLabel('Calls with 32-5DAYTJQY2TZHOFOB');
    await theirs.getByRole('row', { name: /getTasks 1 / }).waitFor();
    expect(await theirs.getByText('Silent').count()).toBe(0);
    const silent = page.getByLabel(`Calls with ${ADMIN.key}`);
    await silent.getByText('Silent for 30 days').waitFor();
    await silent.getByRole('row', { name: /executeTask 1,234 / }).waitFor();
    expect(await violations()).toEqual([]);
    await page.getByLabel('Search').fill('GETTASKS');
    await silent.waitFor({ state: 'detached' });
    await theirs.getByRole('link', { name: /Their keys/ }).click();
    await page.getByLabel('Keys of usernamehere').waitFor();
    expect(await page.locator('.user').count()).toBe(1);
    expect(dashboard.faults).toEqual([]);
  });

  const lines = () => page.locator('.event-log > li');
  /** The positions in the log of the lines that are shown. */
  async function shown(): Promise<number[]> {
    const cursors = await lines().evaluateAll((all) => all.map((line) => line.getAttribute('data-cursor') ?? ''));
    return cursors.map(seqOf);
  }

  /** What is wrong with what is shown: the lines of the log from the newest but `from` on to the newest but `to`. */
  async function fault(from = 0, to?: number): Promise<string | null> {
    const written = await rows<{ seq: string }>(database.orm.em, 'select seq from event order by seq desc');
    const expected = written.map(({ seq }) => Number(seq)).slice(from, to);
    const found = await shown();
    const wrong = expected.findIndex((seq, index) => seq !== found[index]);
    if (wrong === -1 && found.length === expected.length) return null;
    return `${found.length} of ${expected.length} lines, line ${wrong} is ${found[wrong]} instead of ${expected[wrong]}`;
  }

  test('tells the log live and far back, without gap or double while it is written', async () => {
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
      // It goes once there is nothing before.
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

  test('holds 2,000 lines of the log at most, loads what it let go of at either end, and never leaves a gap', async () => {
    await appendRunEvents(database.orm.em, 1_900, { message: 'a flood' });
    await page.getByText('Older lines were taken off this page').waitFor();
    await expect.poll(() => fault(0, 2_000), { interval: 250 }).toBeNull();
    await byRole('button', 'Show older').click();
    await page.getByText('Newer lines were taken off this page').waitFor();
    expect(await fault(100, 2_100)).toBeNull();
    await page.getByRole('status').getByText('Paused').waitFor();
    await byRole('button', 'Follow').click();
    await expect.poll(() => fault(0, 2_000), { interval: 250 }).toBeNull();
    // Whoever is further behind than the page can hold begins at the end again.
    await appendRunEvents(database.orm.em, 2_100, { message: 'another flood' });
    await expect.poll(() => fault(0, 100), { interval: 250 }).toBeNull();
    expect(dashboard.faults).toEqual([]);
  });

  test('shows of the log what is asked for, and keeps the question in the address', async () => {
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
    await byRole('button', /Only what is by/)
      .first()
      .click();
    await page.locator('.chosen').getByText('admin').waitFor();
    expect(new URL(page.url()).search).toContain('actor=');
    await page.goto(`${app.address}/log?to=2020-01-01T00:00:00Z`);
    await page.getByText('No event meets these conditions.').waitFor();
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
