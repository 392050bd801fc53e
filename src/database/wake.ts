import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import type { Channel } from './notifications.ts';

/**
 * Wakes those who listen, from a command that has no `Notifications` of its own: with the commit of the transaction of
 * `em`, or at once where it has none.
 */
export async function wake(em: EntityManager, ...channels: readonly Channel[]): Promise<void> {
  await sql`select pg_notify(channel, '') from unnest(${channels}::text[]) as channel`.execute(em.getKysely());
}
