// The task editor of the dashboard: it saves what is typed, and two users who change the same task lose nothing.
import type { Page } from 'playwright-core';
import { beforeAll, describe, expect, test } from 'vitest';
import type { TestApp } from '../support/app.ts';
import { hasBrowser } from '../support/browser.ts';
import { type Dashboard, openTab } from '../support/dashboard.ts';
import { DATA, HTTP, useEditor } from '../support/editor.ts';

describe.skipIf(!hasBrowser)('the task editor', () => {
  const { byRole, group, read, named, add, update, openEditor, parts } = useEditor();
  let app: TestApp;
  let dashboard: Dashboard;
  let page: Page;
  let faults: string[];

  beforeAll(() => {
    ({ app, dashboard, page, faults } = parts());
  });

  test('adds a task as typed: a rule for each weekday, data by the schema of the class, and the policy', async () => {
    await page.goto(`${app.address}/tasks`);
    await page.getByText('No tasks yet.').waitFor();
    expect(await byRole('link', 'Add task').count()).toBe(2);
    await byRole('link', 'Add task').last().click();
    await page.getByLabel('Name', { exact: true }).fill('Report');
    await page.getByLabel('Class').selectOption({ label: 'Call a URL' });
    await page.getByLabel('Time zone').fill('Europe/Berlin');
    await byRole('button', 'Add a rule').click();
    await page.getByLabel('Repeats').selectOption('Once');
    await page.getByText('A rule is incomplete.').waitFor();
    await page.getByLabel('On', { exact: true }).fill('2099-03-29');
    await page.getByLabel('At', { exact: true }).fill('02:30');
    await page.getByText('the clock skips this time; the slot fires right after').waitFor();
    await page.getByLabel('Repeats').selectOption('On days of the week');
    await page.getByLabel('From', { exact: true }).fill('');
    await page.getByLabel('Monday').check();
    await page.getByLabel('Wednesday').check();
    await page.getByText('Monday and Wednesday at 02:30', { exact: true }).waitFor();
    await expect.poll(() => page.locator('.preview li').count()).toBe(6);
    expect(await page.locator('.preview time').first().getAttribute('title')).toMatch(/T02:30:00\+0[12]:00/);

    await page.getByLabel('URL').fill('https://example.com/a?b=c');
    await page.getByLabel('Method').selectOption('POST');
    await byRole('button', 'Add to Headers').click();
    await group('Headers').getByLabel('Name').fill('Authorization');
    await group('Headers').getByLabel('Value: type').selectOption('Secret and prefix');
    await page.getByLabel('Secret').fill('token');
    await page.getByLabel('Body', { exact: true }).fill('two\nlines');
    await page.getByLabel('Expected status: type').selectOption('List');
    await byRole('button', 'Add to Expected status').click();
    await page.getByLabel('Expected status 1').fill('204');
    await page.getByLabel('Max redirects').fill('0');
    await page.getByRole('heading', { name: 'Policy' }).click();
    expect(await page.getByLabel('Timeout, seconds').getAttribute('placeholder')).toBe('900');
    await page.getByLabel('Overlap').selectOption('Wait for the earlier run');
    await page.getByLabel('Attempts').fill('4');
    await page.getByLabel('Jitter').fill('0.5');
    expect(await dashboard.violations()).toEqual([]);
    await byRole('button', 'Add task').click();
    await byRole('heading', /^Report$/).waitFor();

    const [task, ...others] = await named('Report');
    expect(others).toEqual([]);
    expect(task).toMatchObject({
      className: HTTP,
      active: true,
      timeZone: 'Europe/Berlin',
      data: {
        url: 'https://example.com/a?b=c',
        method: 'POST',
        headers: { Authorization: { secret: 'token' } },
        body: 'two\nlines',
        expected_status: [204],
        max_redirects: 0,
      },
      overlap: 'QUEUE',
      retry: { attempts: 4, delaySeconds: 30, backoff: 2, jitter: 0.5 },
      timeoutSeconds: 900,
    });
    const items = [1, 3].map((dayOfWeek) => ({ id: expect.any(String), dayOfWeek, hour: 2, minute: 30 }));
    expect(task?.repeatItems).toEqual(items);
    expect(faults).toEqual([]);
  });

  test('shows what another user saved first, part by part, and saves the picked versions', async () => {
    const id = await add({ name: 'Ours', className: HTTP, data: DATA, repeatItems: [{ hour: 5 }] });
    const other = await openTab({ context: page.context() });
    await other.signIn(app.address);
    await other.byRole('heading', 'Now').waitFor();
    await openEditor(id);
    // The browser slows down tabs in the background.
    await other.page.bringToFront();
    await openEditor(id, other.page);
    await other.page.getByLabel('Name', { exact: true }).first().fill('Theirs');
    await other.page.getByLabel('Method').selectOption('PUT');
    await other.page.getByLabel('Max redirects').fill('3');
    await other.byRole('button', 'Save').click();
    await other.byRole('heading', /^Theirs$/).waitFor();
    await page.bringToFront();

    await page.getByLabel('Name', { exact: true }).first().fill('Mine');
    await page.getByLabel('URL').fill('https://example.com/mine');
    await page.getByLabel('At', { exact: true }).fill('06:00');
    await byRole('button', 'Save').click();
    await byRole('heading', 'Another user has saved this task').waitFor();
    const parts = async () => page.locator('.conflict tbody th').allInnerTexts();
    expect((await parts()).map((text) => text.replaceAll(/\s+/g, ' '))).toEqual([
      'Name changed by both',
      'Rules changed by you',
      'Data: url changed by you',
      'Data: method changed by them',
      'Data: max_redirects changed by them',
    ]);
    expect(await dashboard.violations()).toEqual([]);
    // Nothing is saved until a version is picked for what both changed.
    await byRole('button', 'Save selection').click();
    expect(await read(id)).toMatchObject({ name: 'Theirs', version: 2 });
    await page.getByLabel(/Name, saved:.*Theirs/).check();
    await byRole('button', 'Save selection').click();
    await byRole('heading', /^Theirs$/).waitFor();
    expect(await read(id)).toMatchObject({
      name: 'Theirs',
      version: 3,
      data: { ...DATA, url: 'https://example.com/mine', method: 'PUT', max_redirects: 3 },
      repeatItems: [{ hour: 6, minute: 0 }],
    });

    // With further editing after the conflict, and one more change by the other user meanwhile.
    await openEditor(id);
    await page.getByLabel('Name', { exact: true }).first().fill('Mine at last');
    await update(id, { name: 'Theirs again', policy: { queueLimit: 7 } });
    await byRole('button', 'Save').click();
    await page.getByLabel(/Name, yours:.*Mine at last/).check();
    await byRole('button', 'Continue editing').click();
    await update(id, { timeZone: 'Asia/Tokyo' });
    await byRole('button', 'Save').click();
    await page.getByText('Asia/Tokyo').waitFor();
    await byRole('button', 'Save selection').click();
    await byRole('heading', /^Mine at last$/).waitFor();
    expect(await read(id)).toMatchObject({ name: 'Mine at last', queueLimit: 7, timeZone: 'Asia/Tokyo', version: 6 });
    await other.page.close();
    expect([...faults, ...other.faults]).toEqual([]);
  });
});
