// A page of the dashboard in a real browser, and what tests ask of every page.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { Locator, Page } from 'playwright-core';
import { ADMIN } from './app.ts';
import { type Browser, openBrowser } from './browser.ts';

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

interface Violation {
  id: string;
  help: string;
  nodes: { html: string }[];
}

export interface Dashboard {
  page: Page;
  /** What the browser complained of. */
  faults: string[];
  /** A name that is text is the whole name. */
  byRole(role: 'button' | 'link' | 'heading' | 'alert', name?: string | RegExp): Locator;
  /** At the address of a gateway, with the admin's key. */
  signIn(address: string, secret?: string): Promise<void>;
  /** What axe-core finds, of all its rules unless told otherwise; nothing on a page that everybody can use. */
  violations(rules?: readonly string[]): Promise<string[]>;
  /** The same in light and then in dark. */
  violationsInBoth(): Promise<string[]>;
  close(): Promise<void>;
}

export async function openDashboard(options?: Parameters<typeof openBrowser>[0]): Promise<Dashboard> {
  const browser = await openBrowser(options);
  return { ...(await openTab(browser)), close: () => browser.close() };
}

/** Another tab of the same browser; it is signed in by itself. */
export async function openTab({ context }: Pick<Browser, 'context'>): Promise<Omit<Dashboard, 'close'>> {
  const page = await context.newPage();
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') faults.push(message.text());
  });
  const byRole: Dashboard['byRole'] = (role, name) =>
    page.getByRole(role, name === undefined ? {} : { name, exact: true });
  const violations: Dashboard['violations'] = async (rules) => {
    // As the debugger does; the page's own policy lets no script in.
    if (await page.evaluate(() => !('axe' in window))) await page.evaluate(await readFile(AXE, 'utf8'));
    return page.evaluate(async (runOnly) => {
      const { axe } = window as unknown as { axe: { run(options: object): Promise<{ violations: Violation[] }> } };
      const { violations: found } = await axe.run(runOnly === undefined ? {} : { runOnly });
      return found.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes[0]?.html}`);
    }, rules);
  };
  return {
    page,
    faults,
    byRole,
    signIn: async (address, secret = ADMIN.secret) => {
      await page.goto(address);
      await page.getByLabel('API key').fill(ADMIN.key);
      await page.getByLabel('Secret').fill(secret);
      await byRole('button', 'Sign in').click();
    },
    violations,
    violationsInBoth: async () => {
      const found = await violations();
      await page.emulateMedia({ colorScheme: 'dark' });
      found.push(...(await violations(['color-contrast'])));
      await page.emulateMedia({ colorScheme: 'light' });
      return found;
    },
  };
}
