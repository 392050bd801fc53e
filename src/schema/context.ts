import type { EntityManager } from '@mikro-orm/postgresql';
import type { Logger } from 'pino';
import type { Vault } from '../credentials/vault.ts';
import type { Notifications } from '../database/notifications.ts';
import type { User } from '../entities/index.ts';
import type { EventTail } from '../events/tail.ts';
import type { Jobs } from '../scheduling/jobs.ts';
import type { KnownClasses } from '../task-classes/known-classes.ts';
import type { TaskFeed } from '../tasks/feed/task-feed.ts';
import type { Span } from '../tracing/tracing.ts';

/** What a subscription tells the transport before its first result. */
export interface Opening {
  /** The position that its events follow: a client that is cut off before the first one goes on from here. */
  startCursor?: string;
}

/** The request that an operation belongs to: its id, log and trace. */
export interface RequestScope {
  requestId: string;
  /** Its lines carry the request's id. */
  log: Pick<Logger, 'error'>;
  /** Of the request; null where traces are off. */
  span: Span | null;
}

/** What one GraphQL operation works with. */
export interface Context extends RequestScope {
  /** Forked for this operation alone: nothing nested or parallel flushes it. */
  em: EntityManager;
  viewer: User;
  /** The key that the operation came with, and its public half. */
  apiKeyId: number;
  apiKey: string;
  /** The address that it came from. */
  origin: string;
  tail: EventTail;
  taskFeed: TaskFeed;
  jobs: Jobs;
  /** Seals the secrets that are stored. */
  vault: Vault;
  notifications: Notifications;
  taskClasses: KnownClasses;
  /** What a reconnecting EventSource says it has seen; it is newer than the cursor in its address. */
  lastEventId?: string | undefined;
  /** There where the transport has a use for it. */
  opening?: Opening | undefined;
  /** Whether the operation was found to ask for no more than it may. */
  isWeighed?: boolean;
  /** The zone of a task that names none. */
  timeZone: string;
}
