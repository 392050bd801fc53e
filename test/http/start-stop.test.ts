// `npm start` as users run it: what it prints, and that it leaves no process behind.
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { HOLDING } from '../support/app.ts';
import { shell, startsIn } from '../support/npm-start.ts';

const { root, start } = startsIn('slotkeeper start ');

test('the first start prints a key and calls that work as they are; the second prints none and has the data', async () => {
  const dataDir = join(root(), 'first');
  const first = start(dataDir);
  const address = await first.listening();
  const pair = first.keyPair();
  const [graphql = '', legacy = '', ...others] = first.printedCommands;
  expect(others).toEqual([]);
  expect(JSON.parse((await shell(graphql)).output)).toEqual({
    data: { viewer: { name: 'admin', role: 'ADMIN' }, taskClasses: expect.arrayContaining([{ name: HOLDING }]) },
  });
  expect((await shell(legacy)).output).toBe('{"success":1,"data":[]}');
  await first.addTask(pair, 'kept');
  const variables = { ADMIN_API_KEY: pair.key, ADMIN_API_SECRET: pair.secret };
  const signing = `npm run -s sign -- 'target=scheduler&action=executeTask&taskId=1'`;
  const signed = await shell(`curl -s "${address}/api/v1/api.php?$(${signing})"`, variables);
  expect(JSON.parse(signed.output)).toMatchObject({ success: 1, message: expect.stringContaining('Holding tank') });

  first.signalGroup('SIGINT');
  await first.gone();
  expect(first.output).toContain('"msg":"stopped"');
  expect(first.output).not.toMatch(/^ {4}at |"level":[456]0/m);

  const second = start(dataDir);
  await second.listening();
  expect(second.output).not.toMatch(/ADMIN_API|curl/);
  expect(await second.taskNames(pair)).toEqual(['kept']);
  second.child.kill('SIGTERM');
  await second.gone();
  expect(second.output).toContain('"msg":"stopped"');
  expect(second.output).not.toMatch(/"level":[456]0/);
});
