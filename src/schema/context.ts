import type { EntityManager } from '@mikro-orm/postgresql';
import type { User } from '../entities/index.ts';
import type { EventTail } from '../events/tail.ts';
import type { Scheduler } from '../runner/scheduler.ts';

/** What one GraphQL operation works with. */
export interface Context {
  /** Forked for this operation alone: nothing nested or parallel flushes it. */
  em: EntityManager;
  viewer: User;
  tail: EventTail;
  scheduler: Scheduler;
  /** The zone of a task that names none. */
  timeZone: string;
}
