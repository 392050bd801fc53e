import type { EntityManager } from '@mikro-orm/postgresql';
import type { EventType } from '../entities/event.ts';
import type { Task } from '../entities/index.ts';
import { appendEvents } from '../events/log.ts';
import type { Actor } from './actor.ts';

export interface Change {
  type: Extract<EventType, 'TASK_UPDATED' | 'TASK_PAUSED' | 'TASK_RESUMED' | 'TASK_DELETED'>;
  now: Date;
  /** JSON text for the log. */
  data?: string | null;
}

/** Stores the changes of a locked task as its next version, and logs them. Returns the id of the task. */
export async function recordChange(
  em: EntityManager,
  viewer: Actor['viewer'],
  task: Task,
  { type, now, data = null }: Change,
): Promise<number> {
  task.version += 1;
  task.updatedAt = now;
  await em.flush();
  await appendEvents(em, [{ type, taskId: task.id, taskName: task.name, actorId: viewer.id, data }]);
  return task.id;
}
