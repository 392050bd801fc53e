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

/** Information of a subscription for the transport, before its first result. */
export interface Opening {
  /** The position before its first event: a client that is disconnected before that event resumes from here. */
  startCursor?: string;
}

/** The request that an operation belongs to: its id, log and trace. */
export interface RequestScope {
  requestId: string;
  /** Its lines carry the request's id. */
  log: Pick<Logger, 'error'>;
  /** The span of the request; null if tracing is off. */
  span: Span | null;
}

/** The context of one GraphQL operation. */
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
  /** The Last-Event-ID of a reconnecting EventSource, which is newer than the cursor in its URL. */
  lastEventId?: string | undefined;
  /** Present if the transport uses it. */
  opening?: Opening | undefined;
  /** Whether the operation was checked against the limits. */
  isWeighed?: boolean;
  /** The zone of a task that names none. */
  timeZone: string;
}
