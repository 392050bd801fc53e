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
import { isDocument, type PersistedOperations, readPersistedOperations } from './http/graphql/persisted-operations.ts';
import { createMetricsServer } from './http/metrics-server.ts';
import { listen } from './http/server.ts';
import { startGateway } from './http/start-gateway.ts';
import { Releasers } from './lib/releasers.ts';
import { Metrics } from './metrics/metrics.ts';
import { measurePool } from './metrics/pool-gauges.ts';
import { HeldRunner } from './runner/held-runner.ts';
import { startRunner } from './runner/start-runner.ts';
import { Jobs } from './scheduling/jobs.ts';
import type { Settings } from './settings.ts';
import { KnownClasses } from './task-classes/known-classes.ts';
import { builtInTaskClasses, TaskClasses } from './task-classes/registry.ts';
import type { TaskClass } from './task-classes/task-class.ts';
import { checkNames } from './task-classes/task-modules.ts';
import { startTracing } from './tracing/start-tracing.ts';

export interface App {
  /** Where it listens; null for a runner. */
  address: string | null;
  /** Where it serves metrics and health checks besides; null without METRICS_PORT. */
  metricsAddress: string | null;
  /** The first admin's key and secret, if this start created them; stored encrypted, they can be shown only now. */
  firstAdmin: KeyAndSecret | null;
  /** Whether its runner was held when it started. */
  installation: InstallationState;
  /** Stops firing and fetching, lets runs end within GRACE_SECONDS, hands the rest back, and closes everything. */
  stop(): Promise<void>;
}

/**
 * Starts all parts of the role. `classes` are the task classes besides the built-in ones: for the product those of
 * `TASK_MODULES`. If a part cannot start, those before it are stopped.
 */
export async function startApp(settings: Settings, log: Logger, classes: readonly TaskClass[]): Promise<App> {
  const releasers = new Releasers();
  try {
    return await startParts(settings, log, classes, releasers);
  } catch (error) {
    await releasers.releaseAll().catch(() => undefined);
    throw error;
  }
}

async function startParts(
  settings: Settings,
  log: Logger,
  otherClasses: readonly TaskClass[],
  releasers: Releasers,
): Promise<App> {
  // Before anything is started: a file that cannot be read is a fault of the settings.
  const operations = await readOperations(settings);
  const tracing = await startTracing(settings, settings.ROLE, log);
  releasers.push(async () => tracing?.stop());
  const { orm, url } = await openMigrated(settings, log, releasers);
  const { vault, firstAdmin } = await openSecrets(settings, orm);
  const classes = [...builtInTaskClasses({ settings, databaseUrl: url, vault, processLog: log }), ...otherClasses];
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
  if (settings.ROLE !== 'gateway') {
    const runner = new HeldRunner(orm.em, notifications, log, (parts) =>
      startRunner(settings, log, parts, { orm, jobs, notifications, taskClasses, tracing }),
    );
    releasers.push(() => runner.stop());
    await runner.start();
  }
  const shared = { orm, credentials, keyUse, vault, jobs, notifications, operations, metrics, tracing, log };
  const gateway =
    settings.ROLE === 'runner'
      ? { address: null, readMetrics: async () => undefined }
      : await startGateway(settings, { ...shared, taskClasses: new KnownClasses(taskClasses) }, releasers);
  const metricsAddress = await startMetrics(settings, { ...shared, readMetrics: gateway.readMetrics }, releasers);
  const { address } = gateway;
  return { address, metricsAddress, firstAdmin, installation, stop: () => releasers.releaseAll() };
}

/** The only operations to accept: those of the file, the dashboard and the run feed; undefined accepts all. */
async function readOperations({ PERSISTED_OPERATIONS }: Settings): Promise<PersistedOperations | undefined> {
  if (PERSISTED_OPERATIONS === undefined) return undefined;
  // Loaded only when needed: it is large.
  const ofDashboard: object = await import('./dashboard/operations.ts');
  return readPersistedOperations(PERSISTED_OPERATIONS, Object.values(ofDashboard).filter(isDocument));
}

async function openMigrated(settings: Settings, log: Logger, releasers: Releasers): Promise<{ orm: Orm; url: string }> {
  const { url, release } = await findDatabase(settings, (message) => log.info(message));
  releasers.push(release);
  const orm = await openOrm(url);
  releasers.push(() => orm.close());
  await migrate(orm, url, { say: (message) => log.warn(message) });
  await renewLogId(orm.em.fork());
  return { orm, url };
}

async function openSecrets(settings: Settings, orm: Orm): Promise<{ vault: Vault; firstAdmin: KeyAndSecret | null }> {
  const vault = new Vault(settings.MASTER_KEY ?? (await readOrMakeMasterKey(settings.DATA_DIR)));
  const firstAdmin = await makeFirstAdmin(orm.em, vault, {
    ...(settings.ADMIN_API_KEY === undefined ? {} : { key: settings.ADMIN_API_KEY }),
    ...(settings.ADMIN_API_SECRET === undefined ? {} : { secret: settings.ADMIN_API_SECRET }),
  });
  await checkMasterKey(orm.em, vault);
  return { vault, firstAdmin };
}

/** Listens on METRICS_PORT; returns the address, or null without that setting. */
async function startMetrics(
  { METRICS_PORT, HOST }: Settings,
  services: Parameters<typeof createMetricsServer>[0],
  releasers: Releasers,
): Promise<string | null> {
  if (METRICS_PORT === undefined) return null;
  const server = await createMetricsServer(services);
  releasers.push(() => server.close());
  return listen(server, HOST, METRICS_PORT);
}
