// The server under bin/slotkeeper.js and npx: signals reach it once, its exit status is passed on, and no process is
// left behind.
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type StartCommand, startsIn } from '../support/npm-start.ts';

const { root, start } = startsIn('slotkeeper launcher ');

const LAUNCHER: StartCommand = ['node', 'bin/slotkeeper.js', 'start'];
const NPX: StartCommand = ['npx', 'slotkeeper', 'start'];

test.each<NodeJS.Signals>(['SIGTERM', 'SIGINT'])('%s to the launcher stops the server in order', async (signal) => {
  const server = start(join(root(), signal), LAUNCHER);
  await server.listening();
  expect(server.servingPid).not.toBe(server.pid);
  server.child.kill(signal);
  expect((await server.ended()).code).toBe(0);
  await server.gone();
  expect(server.output).toContain('"msg":"stopped"');
});

test('a Ctrl-C, which launcher and server both get, counts once', async () => {
  const server = start(join(root(), 'group'), LAUNCHER);
  await server.listening();
  server.signalGroup('SIGINT');
  expect((await server.ended()).code).toBe(0);
  await server.gone();
  expect(server.output).toContain('"msg":"stopped"');
});

test('a server that is killed ends its launcher by the same signal', async () => {
  const server = start(join(root(), 'server killed'), LAUNCHER);
  await server.listening();
  process.kill(server.servingPid, 'SIGKILL');
  await server.ended();
  expect(server.child.signalCode).toBe('SIGKILL');
});

test.each<[string, StartCommand]>([
  ['launcher', LAUNCHER],
  ['npx', NPX],
])('a %s that is killed leaves no server behind', async (name, command) => {
  const server = start(join(root(), `${name} killed`), command);
  await server.listening();
  expect(server.servingPid).not.toBe(server.pid);
  process.kill(server.pid, 'SIGKILL');
  await server.gone();
  expect(server.output).toContain('"msg":"stopped"');
});
