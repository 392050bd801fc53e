// Which installation a database is, and whether its runners are held: a restored copy must fire nothing until somebody
// says that it is the real one now.
import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';

export interface InstallationState {
  uuid: string;
  /** As the database writes it; null while the runners run. */
  heldSince: string | null;
  heldBecause: string | null;
}

export async function readInstallation(em: EntityManager): Promise<InstallationState> {
  const { rows } = await sql<InstallationState>`
    select uuid, held_since::text as "heldSince", held_because as "heldBecause" from installation
  `.execute(em.getKysely());
  const [row] = rows;
  if (row === undefined) throw new Error('the installation has lost its row');
  return row;
}

/** Lets the runners begin; they are to be notified after the commit. False where they were not held. */
export async function releaseInstallation(em: EntityManager): Promise<boolean> {
  const { rows } = await sql`
    update installation set held_since = null, held_because = null where held_since is not null returning id
  `.execute(em.getKysely());
  return rows.length > 0;
}

/**
 * Makes the database an installation of its own, whose runners are held. Only the restore of a backup does this, in the
 * transaction that fills the database, so a runner that was not held when it started never will be.
 */
export async function holdInstallation(em: EntityManager, because: string): Promise<void> {
  await sql`
    update installation set uuid = gen_random_uuid(), held_since = now(), held_because = ${because}
  `.execute(em.getKysely());
}
