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

/** The settings that the doors look at. */
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
  /** Seals the secrets of keys that are stored. */
  vault: Vault;
  tail: EventTail;
  taskFeed: TaskFeed;
  /** Ends streams whose key is revoked. */
  guard: StreamGuard;
  jobs: Jobs;
  notifications: Notifications;
  taskClasses: KnownClasses;
  settings: HttpSettings;
  log: Logger;
  /** The operations that are accepted, where not all are. */
  operations: PersistedOperations | undefined;
  metrics: Metrics;
  /** Brings those up to date that are not counted by the way. */
  readMetrics(): Promise<void>;
  /** Null where traces are off. */
  tracing: Tracing | null;
  /** Lets in who calls, or keeps out who guesses. */
  credentialThrottle: CredentialThrottle;
}
