// GraphiQL in a real browser.
import { expect, onTestFinished, test } from 'vitest';
import { ADMIN, startTestApp } from '../support/app.ts';
import { hasBrowser } from '../support/browser.ts';
import { openDashboard } from '../support/dashboard.ts';
import { testDatabase } from '../support/database.ts';

if (!hasBrowser) process.stdout.write('no chromium: the test of GraphiQL is skipped\n');

test.skipIf(!hasBrowser)('GraphiQL answers a query with the key of its header, from this server alone', async () => {
  const database = await testDatabase();
  onTestFinished(() => database.close());
  const app = await startTestApp(database.url, { settings: { GRAPHIQL: 'on' } });
  onTestFinished(() => app.stop());
  const { page, faults, close } = await openDashboard();
  onTestFinished(() => close());
  const hosts = new Set<string>();
  page.on('request', (request) => {
    const { protocol, host } = new URL(request.url());
    if (protocol !== 'data:') hosts.add(`${protocol}//${host}`);
  });

  await page.goto(`${app.address}/graphql`);
  const headers = page.locator('.graphiql-editor-tool .monaco-editor:visible');
  await headers.getByText('KEY.SECRET').waitFor();
  await headers.click();
  await page.keyboard.press('Control+A');
  // The editor closes the quotation mark and the brace by itself.
  await page.keyboard.insertText(`{ "authorization": "Bearer ${ADMIN.key}.${ADMIN.secret}`);
  await page.getByRole('button', { name: /Execute query/ }).click();
  await page.locator('.result-window').getByText('"admin"').first().waitFor();

  expect([...hosts]).toEqual([app.address]);
  // GraphiQL asks for the schema before it has a key. Violations of the Content-Security-Policy would be listed as
  // well.
  expect(faults.filter((fault) => !fault.includes('401'))).toEqual([]);
  const kept = await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }));
  expect(kept).not.toContain(ADMIN.secret);
});
