// The task editor of the dashboard: faults, lost answers, deleted tasks, permissions, and use by keyboard.
import type { Page } from 'playwright-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { Vault } from '../../src/credentials/vault.ts';
import { PRODUCT_POLICY } from '../../src/dashboard/editor/task-policy.ts';
import { HOLDING, MASTER_KEY, type TestApp } from '../support/app.ts';
import { hasBrowser } from '../support/browser.ts';
import type { Dashboard } from '../support/dashboard.ts';
import type { TestDatabase } from '../support/database.ts';
import { DATA, HTTP, useEditor } from '../support/editor.ts';
import { rows } from '../support/races.ts';

describe.skipIf(!hasBrowser)('the task editor', () => {
  const { held, byRole, group, read, named, add, update, openEditor, nextInput, parts } = useEditor();
  let database: TestDatabase;
  let app: TestApp;
  let dashboard: Dashboard;
  let page: Page;
  let faults: string[];

  beforeAll(() => {
    ({ database, app, dashboard, page, faults } = parts());
  });

  test('shows each fault at its field, focuses the first one, and keeps what was typed', async () => {
    await page.goto(`${app.address}/tasks/new`);
    await page.getByLabel('Class').selectOption(HTTP);
    await page.getByLabel('Time zone').fill('Nowhere');
    await byRole('button', 'Add a rule').click();
    await page.getByLabel('Repeats').selectOption('On a day of the month');
    await page.getByLabel('Day of the month').fill('30');
    await page.getByLabel('Month', { exact: true }).selectOption('February');
    await page.getByText('got "Nowhere"', { exact: false }).waitFor();
    await page.getByLabel('Time zone').fill('Europe/Berlin');
    await page.getByText('no date has it together with').waitFor();
    await expect.poll(() => page.getByLabel('Day of the month').getAttribute('aria-invalid')).toBe('true');
    await page.getByText('A rule is invalid.').waitFor();

    const focused = (label: string) =>
      expect
        .poll(() =>
          page
            .getByLabel(label, { exact: true })
            .first()
            .evaluate((each) => each === document.activeElement),
        )
        .toBe(true);
    await byRole('button', 'Add task').click();
    await page.getByText('This field is required.').waitFor();
    await page.getByLabel('URL').fill('ftp://example.com');
    await page.getByLabel('Time zone').fill('Nowhere');
    await byRole('button', 'Add task').click();
    await focused('Time zone');
    await page.getByLabel('Time zone').fill('');
    await byRole('button', 'Add to Headers').click();
    await group('Headers').getByLabel('Name').fill('X Y');
    await group('Headers').getByLabel('Value', { exact: true }).fill('1');
    await byRole('button', 'Add task').click();
    await page.getByText('must be an http or https URL').waitFor();
    await page.getByLabel('URL').fill('http://example.com');
    await group('Headers').getByLabel('Name').fill('X-Y');
    await byRole('button', 'Add task').click();
    await page.getByText('no date has it together with').waitFor();
    await page.getByLabel('Day of the month').fill('28');
    await byRole('button', 'Add task').click();
    await focused('Name');
    await page.getByLabel('Name', { exact: true }).first().fill('Faulty');
    await page.getByRole('heading', { name: 'Policy' }).click();
    await page.getByLabel('Attempts').fill('1000');
    await page.getByRole('heading', { name: 'Policy' }).click();
    await byRole('button', 'Add task').click();
    await focused('Attempts');
    await page.getByText('must be 1 to 100, got 1000').waitFor();
    await page.getByLabel('Queue limit').fill('1.5');
    await byRole('button', 'Add task').click();
    await page.getByText('Must be a whole number, got "1.5".').waitFor();
    await page.getByLabel('Owner (user id)').fill('77');
    await page.getByLabel('Queue limit').fill('');
    await page.getByLabel('Attempts').fill('1');
    await byRole('button', 'Add task').click();
    await page.getByText('must be the id of an existing user, got 77').waitFor();
    expect(await dashboard.violations()).toEqual([]);
    await page.getByLabel('As JSON').check();
    await page.getByLabel('JSON object passed to the class').fill('{"url": 5, ');
    await page.getByLabel('Owner (user id)').fill('');
    await byRole('button', 'Add task').click();
    await page.getByText('Must be a JSON object.').waitFor();
    await page
      .getByLabel('JSON object passed to the class')
      .fill('{"url": "http://example.com", "big": 12345678901234567890}');
    await byRole('button', 'Add task').click();
    await byRole('heading', /^Faulty$/).waitFor();
    const [task] = await named('Faulty');
    const { text } = await app.query<{ text: { dataText: string } }>(
      'query ($id: ID!) { text: task(by: { id: $id }) { dataText } }',
      { id: task?.id },
    );
    expect(text.dataText).toContain('12345678901234567890');
    expect(faults).toEqual([]);
  });

  test('sends only what was changed, so that other rules and data stay as they are', async () => {
    const rule = { hour: 5, minute: 0 };
    const id = await add({ name: 'Edited', className: HTTP, data: DATA, repeatItems: [rule, { ...rule, year: 2030 }] });
    const before = await read(id);
    expect(PRODUCT_POLICY).toEqual({
      overlap: before.overlap,
      queueLimit: before.queueLimit,
      catchUp: before.catchUp,
      catchUpMaxAgeSeconds: before.catchUpMaxAgeSeconds,
      misfireGraceSeconds: before.misfireGraceSeconds,
      timeoutSeconds: before.timeoutSeconds,
      ...Object.fromEntries(Object.entries(before.retry).map(([name, value]) => [`retry.${name}`, value])),
    });
    await page.goto(`${app.address}/tasks/${id}`);
    await byRole('link', 'Edit').click();
    await page.getByText('Kept unchanged: note.').waitFor();
    await page.getByLabel('Name', { exact: true }).first().fill('Edited anew');
    const sent = nextInput('UpdateTask');
    await byRole('button', 'Save').click();
    expect(await sent).toEqual({
      task: { id },
      expectedVersion: 1,
      name: 'Edited anew',
      idempotencyKey: expect.any(String),
    });
    await byRole('heading', /^Edited anew$/).waitFor();
    expect(await read(id)).toEqual({ ...before, name: 'Edited anew', version: 2 });

    await byRole('link', 'Edit').click();
    await page.getByLabel('Method').selectOption('PUT');
    await page.getByRole('heading', { name: 'Policy' }).click();
    await page.getByLabel('Timeout, seconds').fill('60');
    await page.getByLabel('Active').uncheck();
    await byRole('button', /Remove.*rule 2/).click();
    await byRole('button', 'Save').click();
    await byRole('heading', /^Edited anew$/).waitFor();
    const after = await read(id);
    expect(after).toMatchObject({
      version: 3,
      active: false,
      timeoutSeconds: 60,
      data: { ...DATA, method: 'PUT' },
      repeatItems: [{ dayOfWeek: null, ...rule }],
    });

    await byRole('link', 'Duplicate').click();
    await byRole('button', 'Add task').click();
    await byRole('heading', /^Edited anew \(copy\)$/).waitFor();
    const [copy] = await named('Edited anew (copy)');
    expect(copy).toMatchObject({ data: after.data, active: false, timeoutSeconds: 60, version: 1 });
    expect(faults).toEqual([]);
  });

  test('offers to keep what was typed as a new task if the task was deleted meanwhile', async () => {
    const id = await add({ name: 'Doomed', className: HOLDING, repeatItems: [{ hour: 5 }] });
    await openEditor(id);
    await page.getByLabel('Name', { exact: true }).fill('Reborn');
    await app.query('mutation ($id: ID!) { deleteTask(input: { task: { id: $id } }) { task { id } } }', { id });
    await byRole('button', 'Save').click();
    await page.getByText('Another user has deleted this task.').waitFor();
    await byRole('button', 'Keep as a new task').click();
    await byRole('button', 'Add task').click();
    await byRole('heading', /^Reborn$/).waitFor();
    expect(await named('Reborn')).toMatchObject([{ repeatItems: [{ hour: 5 }], deletedAt: null }]);
    await page.goto(`${app.address}/tasks/${id}/edit`);
    await page.getByText('This task was deleted.').waitFor();
    expect(faults).toEqual([]);
  });

  test('adds one task if the answer is lost and the button is pressed again', async () => {
    await page.goto(`${app.address}/tasks/new`);
    await page.getByLabel('Name', { exact: true }).fill('Only one');
    await page.getByLabel('Class').selectOption(HOLDING);
    let lost = 0;
    await page.route('**/graphql', async (route) => {
      if (!route.request().postData()?.includes('mutation AddTask') || lost > 0) return route.continue();
      lost += 1;
      await route.fetch();
      await route.abort();
    });
    await byRole('button', 'Add task').click();
    await page.getByText('The server cannot be reached').waitFor();
    expect(await named('Only one')).toHaveLength(1);
    await byRole('button', 'Add task').click();
    await byRole('heading', /^Only one$/).waitFor();
    await page.unrouteAll();
    expect(lost).toBe(1);
    expect(await named('Only one')).toHaveLength(1);
  });

  test('asks before unsaved changes are left by a link or by the back button, and only then', async () => {
    await page.goto(`${app.address}/tasks`);
    await byRole('link', 'Add task').first().click();
    await byRole('link', 'Now').click();
    await byRole('heading', 'Now').waitFor();
    await page.goBack();
    await page.getByLabel('Name', { exact: true }).fill('Unsaved');
    await byRole('link', 'Now').click();
    await byRole('heading', 'Leave without saving?').waitFor();
    await byRole('button', 'Stay').click();
    await page.goBack();
    await byRole('heading', 'Leave without saving?').waitFor();
    await page.keyboard.press('Escape');
    expect(await page.getByLabel('Name', { exact: true }).inputValue()).toBe('Unsaved');
    expect(new URL(page.url()).pathname).toBe('/tasks/new');
    await page.goBack();
    await byRole('button', 'Leave').click();
    await byRole('heading', 'Tasks').waitFor();
    expect(faults).toEqual([]);
  });

  test('deletes a task once its name is typed, and says what happens to the running run', async () => {
    const id = await add({ name: 'Under  way', className: held.taskClass.name });
    await app.query('mutation ($id: ID!) { executeTask(input: { task: { id: $id } }) { run { id } } }', { id });
    const attempt = await held.next();
    await page.goto(`${app.address}/tasks/${id}`);
    await byRole('button', 'Delete').click();
    await page.getByText('The current run finishes normally.').waitFor();
    expect(await dashboard.violations()).toEqual([]);
    await page.getByLabel('Type the task name to confirm').fill('Under');
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
    await page.getByText('The name does not match.').waitFor();
    await update(id, { active: false });
    await page.getByLabel('Type the task name to confirm').fill('Under way');
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
    await page.getByText('The task was changed meanwhile.').waitFor();
    await byRole('button', 'Cancel').click();
    await byRole('button', 'Delete').click();
    await page.getByLabel('Type the task name to confirm').fill('Under way');
    await page.keyboard.press('Enter');
    await byRole('heading', 'Tasks').waitFor();
    expect((await read(id)).deletedAt).not.toBeNull();
    attempt.succeed('It ended.');
    expect(faults).toEqual([]);
  });

  test('works by keyboard alone', async () => {
    await page.goto(`${app.address}/tasks/new`);
    await page.getByLabel('Name', { exact: true }).waitFor();
    const focus = () =>
      page.evaluate(() => {
        const element = document.activeElement as HTMLInputElement | null;
        return (element?.labels?.[0] ?? element)?.textContent ?? '';
      });
    const tabTo = async (label: string, key = 'Tab') => {
      for (let presses = 0; presses < 40; presses += 1) {
        await page.keyboard.press(key);
        if ((await focus()).startsWith(label)) return;
      }
      throw new Error(`no ${label} within 40 tabs`);
    };
    await tabTo('Name');
    await page.keyboard.type('By keys');
    await tabTo('Class');
    await page.keyboard.type('Process');
    await tabTo('Add a rule');
    await page.keyboard.press('Enter');
    await tabTo('Repeats', 'Shift+Tab');
    await page.keyboard.type('On days');
    await tabTo('Sat');
    await page.keyboard.press('Space');
    await tabTo('Holding days');
    await page.keyboard.type('9');
    await page.keyboard.press('Enter');
    await byRole('heading', /^By keys$/).waitFor();
    expect(await named('By keys')).toMatchObject([
      { className: HOLDING, data: { holding_days: 9 }, repeatItems: [{ dayOfWeek: 6, hour: 9, minute: 0 }] },
    ]);
    expect(faults).toEqual([]);
  });

  test('offers changes only to users who may make them, and warns of a class without a runner', async () => {
    const sealed = new Vault(MASTER_KEY).seal('secret');
    for (const [id, name] of [
      [1001, 'operator'],
      [1002, 'viewer'],
    ]) {
      await rows(database.orm.em, 'insert into app_user (id, name, role) values (?, ?, upper(?))', [id, name, name]);
      await rows(database.orm.em, 'insert into api_key (key, sealed_secret, user_id) values (?, ?, ?)', [
        name,
        sealed,
        id,
      ]);
    }
    await rows(
      database.orm.em,
      `insert into registered_class (name, title, description, data_schema, defaults, exclusive)
        values ('\\away\\Gone', 'Gone', 'Runs nowhere.', '{"type": "object", "properties": {"id": {"type": "integer"}}}', '{"timeoutSeconds": 5}', false)`,
    );
    const theirs = await add({ name: 'Of the admin', className: HOLDING });
    const own = await add({ name: 'Of the operator', className: HOLDING, ownerLegacyId: 1001 });
    const signIn = async (key: string) => {
      await byRole('button', 'Sign out').click();
      await page.getByLabel('API key').fill(key);
      await page.getByLabel('Secret').fill('secret');
      await byRole('button', 'Sign in').click();
      await page.getByRole('navigation', { name: 'Pages', exact: true }).waitFor();
    };
    await signIn('operator');
    await page.goto(`${app.address}/tasks/${theirs}`);
    await byRole('heading', 'Of the admin').waitFor();
    expect(await byRole('link', /Edit|Duplicate/).count()).toBe(0);
    await page.goto(`${app.address}/tasks/${theirs}/edit`);
    await page.getByText('Only admin, who owns this task, and admins can change it').waitFor();
    await page.goto(`${app.address}/tasks/${own}`);
    await byRole('link', 'Edit').click();
    await page.getByLabel('Class').selectOption('Gone (no live runner)');
    await page.getByText('No live runner has this class').waitFor();
    expect(await page.getByLabel('Owner').count()).toBe(0);
    await page.getByLabel('ID').fill('7');
    await byRole('button', 'Save').click();
    await byRole('heading', /^Of the operator$/).waitFor();
    // The policy is unchanged: the defaults of a class apply to new tasks only.
    expect(await read(own)).toMatchObject({ className: '\\away\\Gone', data: { id: 7 }, timeoutSeconds: 900 });

    await signIn('viewer');
    await page.goto(`${app.address}/tasks`);
    await page.getByRole('table').waitFor();
    expect(await byRole('link', 'Add task').count()).toBe(0);
    await page.goto(`${app.address}/tasks/new`);
    await page.getByText('Only operators and admins can add tasks.').waitFor();
    expect(faults).toEqual([]);
  });
});
