// The dashboard pages for admins: users, API keys and legacy callers.
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ADMIN, basic, clientOf, startTestApp, type TestApp } from '../support/app.ts';
import { hasBrowser } from '../support/browser.ts';
import { type Dashboard, openDashboard, openTab } from '../support/dashboard.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { rows } from '../support/races.ts';

describe.skipIf(!hasBrowser)('the dashboard of an admin', () => {
  let database: TestDatabase;
  let app: TestApp;
  let dashboard: Dashboard;
  let page: Page;

  beforeAll(async () => {
    database = await testDatabase();
    app = await startTestApp(database.url);
    dashboard = await openDashboard();
    page = dashboard.page;
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

  const violations = () => dashboard.violationsInBoth();

  test('adds a user with a key, changes their role and revokes the key; their tab follows at once', async () => {
    await byRole('link', 'API keys').click();
    await byRole('button', 'Add user').click();
    await dialog().getByLabel('Name').fill('admin');
    await inDialog('Add').click();
    await dialog().getByText('is already taken by user 1').waitFor();
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
    // Viewers may not open this page and get the start page instead.
    await theirs.byRole('heading', 'Now').waitFor();
    const links = theirs.page.getByRole('navigation', { name: 'Pages', exact: true }).getByRole('link');
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

  test('replaces a key while both stay valid for a time, and disables and enables a user', async () => {
    await page.goto(`${app.address}/api-keys`);
    await byRole('button', 'Add user').click();
    await dialog().getByLabel('Name').fill('Yuri');
    await inDialog('Add').click();
    await closed();
    await byRole('button', /Create key.*Yuri/).click();
    await inDialog('Create').click();
    const former = await dialog().getByLabel('Key').inputValue();
    const secret = await dialog().getByLabel('Secret').inputValue();
    await inDialog('I have stored it').click();
    await closed();
    const letsIn = async (key: string, of: string) => {
      const response = await fetch(`${app.address}/metrics`, { headers: { authorization: basic(key, of) } });
      return response.status === 200;
    };

    await byRole('button', new RegExp(`Replace.*${former}`)).click();
    await dialog().getByLabel('Old key stays valid for').selectOption('1 hour');
    expect(await violations()).toEqual([]);
    await inDialog('Replace').click();
    const nextSecret = await dialog().getByLabel('Secret').inputValue();
    const next = await dialog().getByLabel('Key', { exact: true }).inputValue();
    await inDialog('I have stored it').click();
    await closed();
    const keys = page.getByLabel('Keys of Yuri');
    await keys.getByRole('listitem').filter({ hasText: former }).getByText('valid until').waitFor();
    await keys.getByRole('listitem').filter({ hasText: next }).getByText('never used').waitFor();
    expect([await letsIn(former, secret), await letsIn(next, nextSecret)]).toEqual([true, true]);

    await byRole('button', /Change.*Yuri/).click();
    await dialog()
      .getByLabel(/^Disabled/)
      .check();
    expect(await violations()).toEqual([]);
    await inDialog('Save').click();
    await closed();
    const card = page.getByRole('region', { name: 'Yuri', exact: true });
    await card.getByText('Disabled', { exact: true }).waitFor();
    expect(await letsIn(next, nextSecret)).toBe(false);
    await byRole('button', /Change.*Yuri/).click();
    await dialog()
      .getByLabel(/^Disabled/)
      .uncheck();
    await inDialog('Save').click();
    await closed();
    await card.getByText('Disabled', { exact: true }).waitFor({ state: 'detached' });
    expect(await letsIn(next, nextSecret)).toBe(true);
  });

  test('refuses to revoke the last admin key, and signs out an admin who revokes their own', async () => {
    await page.goto(`${app.address}/api-keys`);
    await byRole('button', new RegExp(`Revoke.*${ADMIN.key}`)).click();
    await dialog().getByLabel('Type the key').fill(ADMIN.key);
    expect(await inDialog('Revoke').isDisabled()).toBe(true);
    await dialog().getByLabel('I have another key').check();
    expect(await violations()).toEqual([]);
    await inDialog('Revoke').click();
    await dialog().getByText('this would leave no admin with a key').waitFor();
    await page.keyboard.press('Escape');
    await closed();

    // Allowed once an admin has another key. The first one is restored for the next test.
    await app.query(
      'mutation { importApiKey(input: { key: "spare", secret: "s", userLegacyId: 1 }) { apiKey { key } } }',
    );
    await byRole('button', new RegExp(`Revoke.*${ADMIN.key}`)).click();
    await dialog().getByLabel('Type the key').fill(ADMIN.key);
    await dialog().getByLabel('I have another key').check();
    await inDialog('Revoke').click();
    await page.getByText('You revoked the key that you were signed in with.').waitFor();
    await rows(database.orm.em, 'update api_key set revoked_at = null where key = ?', [ADMIN.key]);
    await dashboard.signIn(app.address);
    await page.getByText('Live').waitFor();
  });

  test('imports a key from the old installation and shows which actions it still calls', async () => {
    await byRole('link', 'API keys').click();
    await byRole('button', /Import key/).click();
    await dialog().getByLabel('Key', { exact: true }).fill('32-5DAYTJQY2TZHOFOB');
    await dialog().getByLabel('Secret').fill('their old secret');
    await dialog().getByLabel('user_id').fill('31');
    await inDialog('Import').click();
    await dialog().getByText('printable ASCII').waitFor();
    await dialog().getByLabel('Secret').fill('their-old-secret');
    await inDialog('Import').click();
    await dialog().getByText('is required, since user 31 does not exist yet').waitFor();
    expect(await dialog().getByLabel('Name').getAttribute('aria-invalid')).toBe('true');
    expect(await violations()).toEqual([]);
    await dialog().getByLabel('Name').fill('usernamehere');
    await inDialog('Import').click();
    await closed();
    await page.getByText('32-5DAYTJQY2TZHOFOB', { exact: true }).waitFor();

    await byRole('link', 'Legacy callers').click();
    await page.getByText('No calls to api.php yet.').waitFor();
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
    expect(await theirs.getByText('Not used').count()).toBe(0);
    const silent = page.getByLabel(`Calls with ${ADMIN.key}`);
    await silent.getByText('Not used for 30 days').waitFor();
    await silent.getByRole('row', { name: /executeTask 1,234 / }).waitFor();
    expect(await violations()).toEqual([]);
    await page.getByLabel('Search').fill('GETTASKS');
    await silent.waitFor({ state: 'detached' });
    await theirs.getByRole('link', { name: /Their keys/ }).click();
    await page.getByLabel('Keys of usernamehere').waitFor();
    expect(await page.locator('.user').count()).toBe(1);
    expect(dashboard.faults).toEqual([]);
  });
});
