// npm run screenshots: takes the pictures of the documentation, in light and dark, from an installation with demo tasks.
// With a folder as its argument it takes one of every page, in several widths, into that folder: to review a change of looks.
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { startEmbedded } from '../src/database/embedded.ts';
import { startTestApp, type TestApp } from '../test/support/app.ts';
import { openDashboard } from '../test/support/dashboard.ts';
import { DEMO_CLASSES, fillDemo } from './demo.ts';

const DOCS = fileURLToPath(new URL('../docs', import.meta.url));
const SCHEMES = ['light', 'dark'] as const;

interface Picture {
  name: string;
  path: string;
  /** In the documentation. */
  isShown?: boolean;
}

async function picturesOf(app: TestApp): Promise<Picture[]> {
  const { tasks, runs } = await app.query<Record<'tasks' | 'runs', { edges: { node: { id: string } }[] }>>(
    `{ tasks(first: 1, filter: { name: "Frankfurt" }) { edges { node { id } } }
       runs(first: 1, filter: { states: [RUNNING] }) { edges { node { id } } } }`,
  );
  const task = encodeURIComponent(tasks.edges[0]?.node.id ?? '');
  const run = encodeURIComponent(runs.edges[0]?.node.id ?? '');
  return [
    { name: 'now', path: '/', isShown: true },
    { name: 'tasks', path: '/tasks' },
    { name: 'task', path: `/tasks/${task}` },
    { name: 'edit', path: `/tasks/${task}/edit` },
    { name: 'timeline', path: '/timeline?zoom=day', isShown: true },
    { name: 'timeline-hour', path: '/timeline' },
    { name: 'run', path: `/runs/${run}` },
    { name: 'log', path: '/log' },
    { name: 'legacy-callers', path: '/legacy-callers' },
    { name: 'api-keys', path: '/api-keys' },
  ];
}

async function take(
  page: Page,
  address: string,
  { name, path }: Picture,
  folder: string,
  suffix: string,
): Promise<void> {
  await page.goto(`${address}${path}`);
  await page.getByRole('heading', { level: 1 }).waitFor();
  await page.waitForFunction(() => !document.body.innerText.includes('Loading…'));
  await page.screenshot({ path: join(folder, `${name}-${suffix}.png`), fullPage: suffix.includes('px') });
}

async function takeAll(app: TestApp, folder: string | undefined): Promise<void> {
  const pictures = await picturesOf(app);
  for (const colorScheme of SCHEMES) {
    const dashboard = await openDashboard({ colorScheme });
    try {
      const { page } = dashboard;
      await dashboard.signIn(app.address);
      await page.getByText('Live').waitFor();
      if (folder === undefined) {
        for (const picture of pictures) if (picture.isShown) await take(page, app.address, picture, DOCS, colorScheme);
        continue;
      }
      for (const width of [360, 1_280, 2_560]) {
        await page.setViewportSize({ width, height: 900 });
        for (const picture of pictures) await take(page, app.address, picture, folder, `${colorScheme}-${width}px`);
      }
    } finally {
      await dashboard.close();
    }
  }
}

const folder = process.argv[2];
if (folder !== undefined) await mkdir(folder, { recursive: true });
const dataDir = await mkdtemp(join(tmpdir(), 'slotkeeper-demo-'));
const server = await startEmbedded({ dataDir, log: () => undefined });
try {
  const app = await startTestApp(server.url, { taskClasses: DEMO_CLASSES, settings: { GRACE_SECONDS: 1 } });
  try {
    await fillDemo(app, server.url);
    await takeAll(app, folder);
  } finally {
    await app.stop();
  }
} finally {
  await server.release();
  await rm(dataDir, { recursive: true, force: true });
}
