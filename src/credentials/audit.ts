// The record of who changed what belongs to all: users, keys, secrets, the installation, name servers, DNS zones with their
// records, and address blocks; by whom and from where.
import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';

/** A change to record. */
export interface Audited {
  /** The mutation. */
  action: string;
  /** What was changed: the name of a user, secret, server or zone, a key's public half, an address block. */
  target: string;
  /** The change. It must not contain a secret. */
  change?: object | undefined;
}

export interface AuditedBy {
  /** Null for a command on the server. */
  actorId: number | null;
  /** The public half of the key that they came with. */
  apiKey: string | null;
  /** The address of the caller, or the command. */
  origin: string;
}

/** A user who calls with a key of theirs. */
export interface AuditedUser extends AuditedBy {
  actorId: number;
  apiKey: string;
}

/** Records changes in their transaction: there are entries if and only if the changes were made. */
export async function recordAudit(
  em: EntityManager,
  { actorId, apiKey, origin }: AuditedBy,
  ...audited: readonly Audited[]
): Promise<void> {
  const actions = audited.map(({ action }) => action);
  const targets = audited.map(({ target }) => target);
  const changes = audited.map(({ change }) => (change === undefined ? null : JSON.stringify(change)));
  await sql`
    insert into audit_entry (actor_id, api_key, origin, action, target, change)
    select ${actorId}::int, ${apiKey}::text, ${origin}::text, action, target, change
    from unnest(${actions}::text[], ${targets}::text[], ${changes}::text[])
      with ordinality as audited (action, target, change, place)
    order by place
  `.execute(em.getKysely());
}

/** The changed values, as `{ field: { from, to } }`; undefined if nothing changed. */
export function differences<Values extends object>(before: Values, after: Values): object | undefined {
  const changed = (Object.keys(after) as (keyof Values)[]).filter((key) => before[key] !== after[key]);
  if (changed.length === 0) return undefined;
  return Object.fromEntries(changed.map((key) => [key, { from: before[key], to: after[key] }]));
}
