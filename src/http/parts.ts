import type { FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import type { Credentials } from '../credentials/credentials.ts';
import type { Vault } from '../credentials/vault.ts';
import type { Notifications } from '../database/notifications.ts';
import type { Orm } from '../database/orm.ts';
import type { Settings } from '../env.ts';
import type { EventTail } from '../events/tail.ts';
import type { Jobs } from '../runner/jobs.ts';
import type { KnownClasses } from '../runner/tasks/known-classes.ts';
import type { TaskFeed } from '../schema/task-feed-hub.ts';
import type { StreamGuard } from './stream-guard.ts';

/** What the HTTP plugins share. */
export interface Parts {
  orm: Orm;
  credentials: Credentials;
  /** Seals the secrets of keys that are stored. */
  vault: Vault;
  tail: EventTail;
  taskFeed: TaskFeed;
  /** Ends streams whose key is revoked. */
  guard: StreamGuard;
  jobs: Jobs;
  notifications: Notifications;
  taskClasses: KnownClasses;
  settings: Settings;
  log: Logger;
  /** Counts a call with missing or wrong credentials; returns the seconds to wait where there were too many. */
  countRefusal(request: FastifyRequest): Promise<number | null>;
}
