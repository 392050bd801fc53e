// Builds the product from its parts: database, engine, gateway, runner; stops them in reverse.
import type { Logger } from 'pino';
import { type InstallationState, readInstallation } from './backup/installation.ts';
import { Credentials, type KeyAndSecret } from './credentials/credentials.ts';
import { checkMasterKey, makeFirstAdmin } from './credentials/first-admin.ts';
import { KeyUse } from './credentials/key-use.ts';
import { readOrMakeMasterKey } from './credentials/master-key.ts';
import { Vault } from './credentials/vault.ts';
import { findDatabase } from './database/find-database.ts';
import { migrate } from './database/migrate.ts';
import { Notifications } from './database/notifications.ts';
import { type Orm, openOrm } from './database/orm.ts';
import { renewLogId } from './events/log.ts';
import { EventTail } from './events/tail.ts';
import { readPersistedOperations } from './http/graphql/persisted-operations.ts';
import { createMetricsServer } from './http/metrics-server.ts';
import { createServer, listen } from './http/server.ts';
import { StreamGuard } from './http/stream-guard.ts';
import { Releasers } from './lib/releasers.ts';
import { GatewayMetrics } from './metrics/gateway-metrics.ts';
import { Metrics } from './metrics/metrics.ts';
import { measurePool } from './metrics/pool-gauges.ts';
import { Executor } from './runner/executor.ts';
import { HeldRunner } from './runner/held-runner.ts';
import { Housekeeping } from './runner/housekeeping.ts';
import { PlannerLoop } from './runner/planner-loop.ts';
import { Registration } from './runner/registration.ts';
import { Jobs } from './scheduling/jobs.ts';
import type { Settings } from './settings.ts';
import { KnownClasses, registerClasses } from './task-classes/known-classes.ts';
import { builtInTaskClasses, TaskClasses } from './task-classes/registry.ts';
import type { TaskClass } from './task-classes/task-class.ts';
import { checkNames, loadTaskModules } from './task-classes/task-modules.ts';
import { TaskFeed } from './tasks/feed/task-feed.ts';
import { startTracing } from './tracing/start-tracing.ts';
import type { Tracing } from './tracing/tracing.ts';

export interface App {
  /** Where it listens; null for a runner. */
  address: string | null;
  /** Where it tells of itself besides; null without METRICS_PORT. */
  metricsAddress: string | null;
  /** The first admin's pair, if this start made it: it is stored sealed and can be shown only now. */
  firstAdmin: KeyAndSecret | null;
  /** Whether its runner was held when it started. */
  installation: InstallationState;
  /** Stops firing and pulling, lets runs end within GRACE_SECONDS, hands back the rest, and closes everything. */
  stop(): Promise<void>;
}

/** Starts everything that the role asks for, with these task classes besides the built-in ones; a part that cannot start takes down those before it. */
export async function startApp(settings: Settings, log: Logger, ownClasses: readonly TaskClass[] = []): Promise<App> {
  const releasers = new Releasers();
  try {
    return await startParts(settings, log, ownClasses, releasers);
  } catch (error) {
    await releasers.releaseAll().catch(() => undefined);
    throw error;
  }
}

async function startParts(
  settings: Settings,
  log: Logger,
  ownClasses: readonly TaskClass[],
  releasers: Releasers,
): Promise<App> {
  // Before anything is started: a module that does not load is a fault of the settings.
  const moduleClasses = await loadTaskModules(settings.TASK_MODULES);
  const operations =
    settings.PERSISTED_OPERATIONS === undefined
      ? undefined
      : await readPersistedOperations(settings.PERSISTED_OPERATIONS);
  const tracing = await startTracing(settings, settings.ROLE, log);
  releasers.push(async () => tracing?.stop());
  const { url, release } = await findDatabase(settings, (message) => log.info(message));
  releasers.push(release);
  const orm = await openOrm(url);
  releasers.push(() => orm.close());
  await migrate(orm, url, { say: (message) => log.warn(message) });
  await renewLogId(orm.em.fork());
  const vault = new Vault(settings.MASTER_KEY ?? (await readOrMakeMasterKey(settings.DATA_DIR)));
  const firstAdmin = await makeFirstAdmin(orm.em, vault, {
    ...(settings.ADMIN_API_KEY === undefined ? {} : { key: settings.ADMIN_API_KEY }),
    ...(settings.ADMIN_API_SECRET === undefined ? {} : { secret: settings.ADMIN_API_SECRET }),
  });
  await checkMasterKey(orm.em, vault);

  const classes = [
    ...builtInTaskClasses({ settings, databaseUrl: url, vault, processLog: log }),
    ...moduleClasses,
    ...ownClasses,
  ];
  checkNames(classes);
  const taskClasses = new TaskClasses(classes);
  const jobs = new Jobs(url, log, settings.ROLE !== 'gateway', settings.LEASE_SECONDS);
  await jobs.start();
  releasers.push(() => jobs.stop());
  const notifications = new Notifications(url, log);
  releasers.push(() => notifications.stop());
  await notifications.start();

  const installation = await readInstallation(orm.em.fork());
  const credentials = new Credentials(orm.em, vault);
  const keyUse = new KeyUse(orm.em, log);
  releasers.push(() => keyUse.stop());
  const metrics = new Metrics();
  await measurePool(orm.em, metrics);
  let readMetrics: () => Promise<void> = async () => undefined;
  if (settings.ROLE !== 'gateway') {
    const runner = new HeldRunner(orm.em, notifications, log, (parts) =>
      startRunner(settings, log, parts, { orm, jobs, notifications, taskClasses, tracing }),
    );
    releasers.push(() => runner.stop());
    await runner.start();
  }
  let address: string | null = null;
  if (settings.ROLE !== 'runner') {
    const tail = new EventTail(orm.em, notifications, log);
    const taskFeed = new TaskFeed(orm.em, tail, log);
    const guard = new StreamGuard(orm.em, notifications, log, settings.STREAMS_PER_KEY);
    const gatewayMetrics = new GatewayMetrics({ em: orm.em, tail, taskFeed, guard, log }, metrics);
    releasers.push(() => gatewayMetrics.stop());
    await gatewayMetrics.start();
    readMetrics = () => gatewayMetrics.read();
    const server = await createServer({
      orm,
      credentials,
      keyUse,
      vault,
      tail,
      taskFeed,
      guard,
      jobs,
      notifications,
      taskClasses: new KnownClasses(taskClasses),
      operations,
      metrics,
      readMetrics,
      tracing,
      settings,
      log,
    });
    releasers.push(() => server.close());
    address = await listen(server, settings.HOST, settings.PORT);
  }
  let metricsAddress: string | null = null;
  if (settings.METRICS_PORT !== undefined) {
    const server = await createMetricsServer({ orm, credentials, keyUse, metrics, readMetrics, log });
    releasers.push(() => server.close());
    metricsAddress = await listen(server, settings.HOST, settings.METRICS_PORT);
  }
  return { address, metricsAddress, firstAdmin, installation, stop: () => releasers.releaseAll() };
}

interface RunnerParts {
  orm: Orm;
  jobs: Jobs;
  notifications: Notifications;
  taskClasses: TaskClasses;
  tracing: Tracing | null;
}

async function startRunner(
  settings: Settings,
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
