// The record of who may do what: each change of a user, a key, a secret, a name server or the installation, by whom and
// from where.
import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';

/** A change to record. */
export interface Audited {
  /** The mutation. */
  action: string;
  /** What was changed: a user's name, a key's public half, a secret's name. */
  target: string;
  /** What of it. No secret may be in it. */
  change?: object | undefined;
}

export interface AuditedBy {
  /** Null for whoever started a command. */
  actorId: number | null;
  /** The public half of the key that they came with. */
  apiKey: string | null;
  /** The address of the caller, or the command. */
  origin: string;
}

/** Records a change in its transaction: there is an entry if and only if the change was made. */
export async function recordAudit(
  em: EntityManager,
  { actorId, apiKey, origin }: AuditedBy,
  { action, target, change }: Audited,
): Promise<void> {
  await sql`
    insert into audit_entry (actor_id, api_key, origin, action, target, change)
    values (${actorId}, ${apiKey}, ${origin}, ${action}, ${target},
      ${change === undefined ? null : JSON.stringify(change)})
  `.execute(em.getKysely());
}
