// `npm start`: reads the settings, starts the product, says how to use it, and stops it on a signal.
import { type App, startApp } from './app.ts';
import { watchLauncher } from './cli/launcher.ts';
import type { KeyAndSecret } from './credentials/credentials.ts';
import { readSettings, type Settings, startedByNpm } from './env.ts';
import { signedQuery } from './legacy/signature.ts';
import { createLog } from './lib/log.ts';
import { OperatorError } from './lib/operator-error.ts';

async function main(): Promise<void> {
  const settings = readSettings();
  const log = createLog(settings.LOG_LEVEL);
  const stopping = waitForEnd();
  // Of a task's code, most likely, which nobody awaits; the other tasks go on.
  process.on('unhandledRejection', (reason) =>
    log.error({ err: reason }, 'a promise was rejected and nobody awaits it'),
  );
  const app = await startApp(settings, log);
  print(introduction(settings, app));
  await stopping;
  log.info('stopping: no new runs are taken, those under way may end');
  await app.stop();
  log.info('stopped');
}

/** A signal, or the end of the npm that started us, asks for an orderly stop; a second signal ends the process at once. */
async function waitForEnd(): Promise<void> {
  const launcherLost = Promise.withResolvers<void>();
  const unwatch = startedByNpm() ? await watchLauncher(launcherLost.resolve) : () => undefined;
  await Promise.race([waitForSignal(), launcherLost.promise]);
  unwatch();
}

function waitForSignal(): Promise<void> {
  return new Promise((resolve) => {
    let asked = false;
    const onSignal = () => {
      if (asked) process.exit(1);
      asked = true;
      resolve();
    };
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
  });
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function introduction(
  { ROLE, ADMIN_API_SECRET }: Settings,
  { address, metricsAddress, firstAdmin, installation }: App,
): string {
  const held = installation.heldSince === null ? '' : `${heldNotice(installation)}\n`;
  if (address === null) {
    const where = metricsAddress === null ? 'it listens on no port' : `metrics and health: ${metricsAddress}`;
    return `${held}Slotkeeper (${ROLE}) runs tasks; ${where}.`;
  }
  const head = `${held}Slotkeeper (${ROLE}) listens on ${address}`;
  if (firstAdmin === null) return head;
  // A secret that somebody else keeps has no place in a log.
  const isGiven = ADMIN_API_SECRET !== undefined;
  return `${head}\n${isGiven ? 'This is the first start; the admin has the API key that was given.' : firstSteps(address, firstAdmin)}`;
}

function heldNotice({ heldBecause }: App['installation']): string {
  return `No task runs: the runners of this installation are held. ${heldBecause} If it is the real one now: npm run resume`;
}

function firstSteps(address: string, { key, secret }: KeyAndSecret): string {
  const query = JSON.stringify({ query: '{ viewer { name role } taskClasses { name } }' });
  return `
This is the first start. The admin's API key is shown this once; keep it:

  ADMIN_API_KEY=${key}
  ADMIN_API_SECRET=${secret}

A GraphQL call:

  curl -u '${key}:${secret}' -H 'content-type: application/json' -d '${query}' ${address}/graphql

A call of the old API:

  curl '${address}/api/v1/api.php?${signedQuery('target=scheduler&action=getTasks', key, secret)}'
`;
}

try {
  await main();
} catch (error) {
  // A fault that the operator can mend is one sentence; anything else shows where it happened.
  const shown = error instanceof OperatorError ? error.message : error instanceof Error ? error.stack : String(error);
  process.stderr.write(`${shown}\n`);
  // At once: what a task module that did not load has begun would keep the process alive.
  process.exit(1);
}
