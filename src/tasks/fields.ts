// Checks of the single values that users give of a task. A fault names the field as a task has it.
import type { EntityManager } from '@mikro-orm/postgresql';
import { isTimeZone } from '../calendar/schedule.ts';
import { User } from '../entities/index.ts';
import { badInput, forbidden } from '../lib/faults.ts';
import { readText } from '../lib/input.ts';
import type { KnownClass, KnownClasses } from '../task-classes/known-classes.ts';
import type { Actor } from './actor.ts';

/** Any well-formed text of 1 to 255 characters without NUL, newlines too, as in the old API. */
export function readName(name: string): string {
  if (!name.isWellFormed()) throw badInput('name', 'must be well-formed Unicode text');
  return readText(name, 'name', { least: 1 });
}

export function readTimeZone(timeZone: string): string {
  if (isTimeZone(timeZone)) return timeZone;
  throw badInput('timeZone', `must be an IANA time zone such as Europe/Berlin, got "${timeZone.slice(0, 80)}"`);
}

/** A class that this process or a runner has; the message lists them, as the old page does. */
export async function readClass(em: EntityManager, taskClasses: KnownClasses, className: string): Promise<KnownClass> {
  const found = await taskClasses.named(em, className);
  if (found !== null) return found;
  const available = (await taskClasses.all(em)).map(({ name }) => name).join(', ');
  throw badInput('className', `must be an available task class (${available}), got "${className.slice(0, 200)}"`);
}

/** The new owner of a task: an existing user; only admins may name another than themselves. */
export async function readOwner(em: EntityManager, viewer: Actor['viewer'], ownerId: number): Promise<User> {
  if (ownerId !== viewer.id && viewer.role !== 'ADMIN') {
    const reason = `only an admin may name an owner other than themselves (${viewer.id}), got ${ownerId}`;
    throw forbidden(reason, 'ownerId');
  }
  const owner = await em.findOne(User, { id: ownerId });
  if (owner !== null) return owner;
  throw badInput('ownerId', `must be the id of an existing user, got ${ownerId}`);
}
