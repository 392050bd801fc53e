import type { EntityManager } from '@mikro-orm/postgresql';
import { Task } from '../entities/index.ts';
import { conflict, forbidden, notFound } from '../lib/faults.ts';
import { lockAndSettle } from '../scheduling/planner.ts';
import type { Actor } from './actor.ts';

interface LockOptions {
  /** Refuse with CONFLICT unless the task has this version. */
  expectedVersion?: number | null | undefined;
  /** A deleted task too. */
  orDeleted?: boolean;
}

/** The version that a change expects of a task. */
export type Expected = Pick<LockOptions, 'expectedVersion'>;

/**
 * The task, locked and with its slots settled up to the returned instant, for a change by the viewer: their own, or any
 * for an admin. NOT_FOUND at `task` where there is none.
 */
export async function lockForChange(
  { jobs, viewer }: Pick<Actor, 'jobs' | 'viewer'>,
  em: EntityManager,
  taskId: number,
  { expectedVersion, orDeleted = false }: LockOptions = {},
): Promise<{ task: Task; now: Date }> {
  const now = await lockAndSettle(em, jobs, taskId);
  const task = await em.findOne(Task, { id: taskId });
  if (task === null || (task.deletedAt && !orDeleted)) throw notFound(`there is no task ${taskId}`, 'task');
  if (viewer.role !== 'ADMIN' && task.owner.id !== viewer.id) {
    throw forbidden(`task ${taskId} belongs to another user; an operator may change their own tasks`);
  }
  if (expectedVersion !== null && expectedVersion !== undefined && expectedVersion !== task.version) {
    const reason = `the task has version ${task.version}, not ${expectedVersion}: it was changed in the meantime`;
    throw conflict(reason, 'expectedVersion');
  }
  return { task, now };
}
