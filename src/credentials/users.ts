// Users: how they are created, and that there is always an admin with a key.
import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import type { Role } from '../entities/user.ts';
import { badInput, conflict } from '../lib/faults.ts';
import { readText } from '../lib/input.ts';

/** The largest value of the column. */
const MAX_USER_ID = 2_147_483_647;

/** BAD_USER_INPUT at `field` for an id that no user can have. The columns and GraphQL's Int refuse larger ones. */
export function checkUserId(id: number, field: string): void {
  if (id < 1) throw badInput(field, `must be 1 to ${MAX_USER_ID}, got ${id}`);
}

export function readUserName(name: string, field: string): string {
  return readText(name, field, { least: 1 });
}

/** Other users see a user's name only: who has which rights would help an attacker. */
export function maySeeRights(viewer: { id: number; role: Role }, userId: number): boolean {
  return viewer.role === 'ADMIN' || viewer.id === userId;
}

export interface NewUser {
  /** The user's id, by which old callers know them too; null for the next after the highest. */
  legacyId: number | null;
  name: string;
  role: Role;
}

/**
 * Locks users and keys until the transaction of `em` ends: no other transaction creates, changes or disables users, or
 * replaces or revokes keys (one advisory lock). Take it before a statement that reads what it protects, since a
 * statement sees what was committed when it began.
 */
export async function lockUsers(em: EntityManager): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtextextended('slotkeeper users', 0))`.execute(em.getKysely());
}

/**
 * Inserts a user, unless the id or the name is taken; returns their id, or null. To be called under `lockUsers`, which
 * keeps two from getting the same id. The sequence is moved along for whoever inserts users by SQL.
 */
export async function insertUser(em: EntityManager, user: NewUser): Promise<number | null> {
  const database = em.getKysely();
  const id = user.legacyId ?? (await nextUserId(em));
  const { rows } = await sql`
    insert into app_user (id, name, role) values (${id}, ${user.name}, ${user.role}) on conflict do nothing returning id
  `.execute(database);
  if (rows.length === 0) return null;
  await sql`
    select setval(pg_get_serial_sequence('app_user', 'id'), greatest(max(id), 1)) from app_user
  `.execute(database);
  return id;
}

async function nextUserId(em: EntityManager): Promise<number> {
  const { rows } = await sql<{ id: number }>`select coalesce(max(id), 0)::bigint + 1 as id from app_user`.execute(
    em.getKysely(),
  );
  const id = Number(rows[0]?.id);
  if (id <= MAX_USER_ID) return id;
  throw badInput('legacyId', `is required, since no id is left after ${MAX_USER_ID}: must be a free id`);
}

/**
 * CONFLICT at `field` if the changes of the transaction of `em` leave no admin with a working key, which could never be
 * undone. Under `lockUsers`, two admins who remove each other's access cannot both succeed.
 */
export async function checkAdminLeft(em: EntityManager, field: string): Promise<void> {
  const { rows } = await sql`
    select from api_key join app_user on app_user.id = api_key.user_id
    where app_user.role = 'ADMIN' and app_user.disabled_at is null and api_key.revoked_at is null limit 1
  `.execute(em.getKysely());
  if (rows.length > 0) return;
  throw conflict('this would leave no admin with a key: give another admin a key first', field);
}
