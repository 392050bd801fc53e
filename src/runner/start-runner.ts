import type { Logger } from 'pino';
import type { Notifications } from '../database/notifications.ts';
import type { Orm } from '../database/orm.ts';
import type { Releasers } from '../lib/releasers.ts';
import type { Jobs } from '../scheduling/jobs.ts';
import { registerClasses } from '../task-classes/known-classes.ts';
import type { TaskClasses } from '../task-classes/registry.ts';
import type { Tracing } from '../tracing/tracing.ts';
import { Executor } from './executor.ts';
import { Housekeeping } from './housekeeping.ts';
import { PlannerLoop } from './planner-loop.ts';
import { Registration } from './registration.ts';

/** The settings of a runner, as they are described for operators. */
interface RunnerSettings {
  CONCURRENCY: number;
  LEASE_SECONDS: number;
  GRACE_SECONDS: number;
  RETENTION_DAYS: number;
  HISTORY_RETENTION_DAYS: number;
}

/** What a runner is made of. */
interface RunnerParts {
  orm: Orm;
  jobs: Jobs;
  notifications: Notifications;
  taskClasses: TaskClasses;
  /** Null if tracing is off. */
  tracing: Tracing | null;
}

/** Starts the parts of a runner: others know of it before it takes a run, and it takes runs before it fires slots. */
export async function startRunner(
  settings: RunnerSettings,
  log: Logger,
  releasers: Releasers,
  { orm, jobs, notifications, taskClasses, tracing }: RunnerParts,
): Promise<void> {
  const classNames = taskClasses.all.map(({ name }) => name);
  const registration = new Registration(
    orm.em,
    { classNames, places: settings.CONCURRENCY },
    settings.LEASE_SECONDS,
    log,
    () => registerClasses(orm.em, taskClasses.all),
  );
  await registration.start();
  releasers.push(() => registration.stop());
  const executor = new Executor({
    runnerId: registration.id,
    em: orm.em,
    jobs,
    notifications,
    taskClasses,
    tracing,
    log,
    concurrency: settings.CONCURRENCY,
    leaseSeconds: settings.LEASE_SECONDS,
  });
  executor.start();
  releasers.push(() => executor.drain(settings.GRACE_SECONDS * 1_000));
  const planner = new PlannerLoop(orm.em, jobs, notifications, log, classNames);
  planner.start();
  releasers.push(() => planner.stop());
  const housekeeping = new Housekeeping(orm.em, log, {
    days: settings.RETENTION_DAYS,
    historyDays: settings.HISTORY_RETENTION_DAYS,
  });
  housekeeping.start();
  releasers.push(() => housekeeping.stop());
}
