import { startApp } from '../app.ts';
import { createLog } from '../lib/log.ts';
import { readSettings } from '../settings.ts';
import { EXIT, reportFailure } from './failures.ts';
import { introduction } from './introduction.ts';
import { onForwardedSignal, watchLauncher } from './launcher.ts';

/** Starts the product as the settings say, says how to use it, and stops it on a signal. */
export async function start(): Promise<void> {
  try {
    await serve();
  } catch (error) {
    reportFailure(error);
    // At once: what a task module that did not load has begun would keep the process alive.
    process.exit();
  }
}

async function serve(): Promise<void> {
  const settings = readSettings();
  const log = createLog(settings.LOG_LEVEL);
  const stopping = waitForEnd();
  // Of a task's code, most likely, which nobody awaits; the other tasks go on.
  process.on('unhandledRejection', (reason) => log.error({ err: reason }, 'unhandled promise rejection'));
  const app = await startApp(settings, log);
  process.stdout.write(`${introduction(settings, app)}\n`);
  await stopping;
  log.info('stopping: no new runs are taken, those under way may end');
  await app.stop();
  log.info('stopped');
}

/** A signal, or the end of what started us, asks for an orderly stop; a second signal ends the process at once. */
async function waitForEnd(): Promise<void> {
  const launcherLost = Promise.withResolvers<void>();
  const unwatch = await watchLauncher(launcherLost.resolve);
  await Promise.race([waitForSignal(), launcherLost.promise]);
  unwatch();
}

/** A launcher's word and our own copy of one signal count once. */
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
