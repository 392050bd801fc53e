import { startApp } from '../app.ts';
import { createLog } from '../lib/log.ts';
import { readSettings } from '../settings.ts';
import { loadTaskModules } from '../task-classes/task-modules.ts';
import { EXIT, reportFailure } from './failures.ts';
import { introduction } from './introduction.ts';
import { onForwardedSignal, watchLauncher } from './launcher.ts';

/** Starts the product with the settings, prints how to use it, and stops it on a signal. */
export async function start(): Promise<void> {
  try {
    await serve();
  } catch (error) {
    reportFailure(error);
    // At once: what a task module has started before it failed to load would keep the process alive.
    process.exit();
  }
}

async function serve(): Promise<void> {
  const settings = readSettings();
  const log = createLog(settings.LOG_LEVEL);
  const stopping = waitForEnd();
  // Most likely from a task's code that does not await it; the other tasks continue.
  process.on('unhandledRejection', (reason) => log.error({ err: reason }, 'unhandled promise rejection'));
  const app = await startApp(settings, log, await loadTaskModules(settings.TASK_MODULES));
  process.stdout.write(`${introduction(settings, app)}\n`);
  await stopping;
  log.info('stopping: taking no new runs, waiting for the running ones');
  await app.stop();
  log.info('stopped');
}

/** Resolves on a signal or when the launcher ends; a second signal ends the process at once. */
async function waitForEnd(): Promise<void> {
  const launcherLost = Promise.withResolvers<void>();
  const unwatch = await watchLauncher(launcherLost.resolve);
  await Promise.race([waitForSignal(), launcherLost.promise]);
  unwatch();
}

/** The launcher's message and our own copy of the same signal count once. */
function waitForSignal(): Promise<void> {
  return new Promise((resolve) => {
    const asked = { byLauncher: 0, directly: 0 };
    const count = (way: keyof typeof asked) => {
      asked[way] += 1;
      if (asked[way] > 1) process.exit(EXIT.failed);
      resolve();
    };
    process.on('SIGINT', () => count('directly'));
    process.on('SIGTERM', () => count('directly'));
    onForwardedSignal(() => count('byLauncher'));
  });
}
