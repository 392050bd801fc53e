// The task editor of the dashboard in a browser, and what its tests ask of the server and of the page.
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import { startTestApp, type TestApp } from './app.ts';
import { type Dashboard, openDashboard } from './dashboard.ts';
import { type TestDatabase, testDatabase } from './database.ts';
import { heldClass } from './test-classes.ts';

export const HTTP = '\\scheduler\\Tasks\\HttpRequestTask';
export const DATA = {
  url: 'https://example.com/a',
  method: 'POST',
  headers: { Accept: 'text/plain' },
  note: { kept: [1, null] },
};

export interface Task {
  id: string;
  name: string;
  className: string;
  active: boolean;
  data: unknown;
  timeZone: string;
  version: number;
  deletedAt: string | null;
  overlap: string;
  queueLimit: number;
  catchUp: string;
  catchUpMaxAgeSeconds: number | null;
  misfireGraceSeconds: number;
  timeoutSeconds: number;
  retry: { attempts: number; delaySeconds: number; backoff: number; jitter: number };
  repeatItems: { id: string; dayOfWeek: number | null; hour: number | null; minute: number | null }[];
}

const FIELDS = `id name className active data timeZone version deletedAt overlap queueLimit catchUp catchUpMaxAgeSeconds
  misfireGraceSeconds timeoutSeconds retry { attempts delaySeconds backoff jitter }
  repeatItems { id dayOfWeek hour minute }`;

/** For the body of a `describe`: starts everything before its tests and stops it after them. */
export function useEditor() {
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
    page.setDefaultTimeout(10_000);
    await dashboard.signIn(app.address);
    await dashboard.byRole('heading', 'Now').waitFor();
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
  const group = (name: string) => page.getByRole('group', { name });

  const read = async (id: string): Promise<Task> => {
    const { task } = await app.query<{ task: Task }>(`query ($id: ID!) { task(by: { id: $id }) { ${FIELDS} } }`, {
      id,
    });
    return task;
  };
  const named = async (name: string): Promise<Task[]> => {
    const { tasks } = await app.query<{ tasks: { edges: { node: Task }[] } }>(
      `query ($name: String!) { tasks(first: 50, filter: { name: $name }) { edges { node { ${FIELDS} } } } }`,
      { name },
    );
    return tasks.edges.map(({ node }) => node);
  };
  const add = async (input: Record<string, unknown>): Promise<string> => {
    const { addTask } = await app.query<{ addTask: { task: { id: string } } }>(
      'mutation ($input: AddTaskInput!) { addTask(input: $input) { task { id } } }',
      { input },
    );
    return addTask.task.id;
  };
  const update = (id: string, input: Record<string, unknown>) =>
    app.query('mutation ($input: UpdateTaskInput!) { updateTask(input: $input) { task { id } } }', {
      input: { task: { id }, ...input },
    });
  const openEditor = async (id: string, of = page) => {
    await of.goto(`${app.address}/tasks/${encodeURIComponent(id)}/edit`);
    await of.getByLabel('Name', { exact: true }).first().waitFor();
  };
  /** What the page sends of its next mutation. */
  const nextInput = async (mutation: string) => {
    const request = await page.waitForRequest(
      (each) => each.url().endsWith('/graphql') && (each.postData() ?? '').includes(`mutation ${mutation}`),
    );
    return (JSON.parse(request.postData() ?? '{}') as { variables: { input: Record<string, unknown> } }).variables
      .input;
  };
  /** What has been started; for a `beforeAll` of the tests. */
  const parts = () => ({ database, app, dashboard, page, faults });
  return { held, byRole, group, read, named, add, update, openEditor, nextInput, parts };
}
