import type { Logger } from 'pino';
import type { Credentials } from '../credentials/credentials.ts';
import type { KeyUse } from '../credentials/key-use.ts';
import type { Vault } from '../credentials/vault.ts';
import type { Notifications } from '../database/notifications.ts';
import type { Orm } from '../database/orm.ts';
import type { EventTail } from '../events/tail.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { Jobs } from '../scheduling/jobs.ts';
import type { KnownClasses } from '../task-classes/known-classes.ts';
import type { TaskFeed } from '../tasks/feed/task-feed.ts';
import type { Tracing } from '../tracing/tracing.ts';
import type { CredentialThrottle } from './credential-throttle.ts';
import type { PersistedOperations } from './graphql/persisted-operations.ts';
import type { StreamGuard } from './stream-guard.ts';

/** The settings that the doors read. */
export interface HttpSettings {
  TLS_CERT?: string | undefined;
  TLS_KEY?: string | undefined;
  TRUST_PROXY: string[];
  INTROSPECTION: 'on' | 'off';
  GRAPHIQL: 'on' | 'off';
  TIME_ZONE: string;
  LEGACY_PREFIX: readonly string[];
  LEGACY_CONTENT_TYPE: string;
  LEGACY_EXECUTE_TIMEOUT: number;
}

/** What the HTTP plugins share. */
export interface Services {
  orm: Orm;
  credentials: Credentials;
  keyUse: KeyUse;
  /** Encrypts stored secrets. */
  vault: Vault;
  tail: EventTail;
  taskFeed: TaskFeed;
  /** Ends the streams of revoked keys. */
  guard: StreamGuard;
  jobs: Jobs;
  notifications: Notifications;
  taskClasses: KnownClasses;
  settings: HttpSettings;
  log: Logger;
  /** The only operations that are accepted; undefined accepts all. */
  operations: PersistedOperations | undefined;
  metrics: Metrics;
  /** Updates the metrics that are read on demand rather than counted. */
  readMetrics(): Promise<void>;
  /** Null if tracing is off. */
  tracing: Tracing | null;
  /** Authenticates callers and throttles those that guess. */
  credentialThrottle: CredentialThrottle;
}
