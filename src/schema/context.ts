import type { EntityManager } from '@mikro-orm/postgresql';
import type { Notifications } from '../database/notifications.ts';
import type { User } from '../entities/index.ts';
import type { EventTail } from '../events/tail.ts';
import type { Jobs } from '../runner/jobs.ts';

/** What one GraphQL operation works with. */
export interface Context {
  /** Forked for this operation alone: nothing nested or parallel flushes it. */
  em: EntityManager;
  viewer: User;
  tail: EventTail;
  jobs: Jobs;
  notifications: Notifications;
  /** The zone of a task that names none. */
  timeZone: string;
}
