// Which installation a database is, and whether its runners are held: a restored copy must not fire until an operator
// declares it the live installation.
import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { type AuditedBy, recordAudit } from '../credentials/audit.ts';

export interface InstallationState {
  uuid: string;
  /** A timestamp as PostgreSQL's text; null while the runners run. */
  heldSince: string | null;
  heldBecause: string | null;
}

export async function readInstallation(em: EntityManager): Promise<InstallationState> {
  const { rows } = await sql<InstallationState>`
    select uuid, held_since::text as "heldSince", held_because as "heldBecause" from installation
  `.execute(em.getKysely());
  const [row] = rows;
  if (row === undefined) throw new Error('the table installation has no row');
  return row;
}

/** Lets the runners start; notify them after the commit. Returns false if they were not held. */
export async function releaseInstallation(em: EntityManager): Promise<boolean> {
  const { rows } = await sql`
    update installation set held_since = null, held_because = null where held_since is not null returning id
  `.execute(em.getKysely());
  return rows.length > 0;
}

/** The same on behalf of a user, which is audited whether or not the runners were held. */
export async function resumeInstallation(em: EntityManager, by: AuditedBy): Promise<void> {
  await releaseInstallation(em);
  await recordAudit(em, by, { action: 'resumeInstallation', target: 'installation' });
}

/**
 * Makes the database an installation of its own with held runners. Only a restore calls this, in the transaction that
 * fills the database, so a runner that was not held when it started never will be.
 */
export async function holdInstallation(em: EntityManager, because: string): Promise<void> {
  await sql`
    update installation set uuid = gen_random_uuid(), held_since = now(), held_because = ${because}
  `.execute(em.getKysely());
}
