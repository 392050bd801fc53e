import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import type { Channel } from './notifications.ts';

/**
 * Notifies the listeners, from a command without `Notifications`: at the commit of the transaction of `em`, or at once
 * if there is none.
 */
export async function wake(em: EntityManager, ...channels: readonly Channel[]): Promise<void> {
  await sql`select pg_notify(channel, '') from unnest(${channels}::text[]) as channel`.execute(em.getKysely());
}
