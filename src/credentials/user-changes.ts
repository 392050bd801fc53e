// Changes of users by admins: add, rename, change the role, disable.
import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import type { Role } from '../entities/user.ts';
import { conflict, notFound } from '../lib/faults.ts';
import { type AuditedBy, differences, recordAudit } from './audit.ts';
import { checkAdminLeft, checkUserId, insertUser, lockUsers, type NewUser, readUserName } from './users.ts';

/** Returns a valid new user; BAD_USER_INPUT if the name or the id is not valid. */
export function readNewUser(user: NewUser): NewUser {
  readUserName(user.name, 'name');
  if (user.legacyId !== null) checkUserId(user.legacyId, 'legacyId');
  return user;
}

/** Adds a user that `readNewUser` checked, and returns the id. CONFLICT if the name or the id is taken. */
export async function addUser(em: EntityManager, by: AuditedBy, user: NewUser): Promise<number> {
  const { name, role } = user;
  await lockUsers(em);
  const id = await insertUser(em, user);
  if (id === null) {
    await checkNameIsFree(em, name);
    throw conflict(`user ${user.legacyId} already exists`, 'legacyId');
  }
  await recordAudit(em, by, { action: 'addUser', target: name, change: { legacyId: id, role } });
  return id;
}

async function checkNameIsFree(em: EntityManager, name: string): Promise<void> {
  const { rows } = await sql<{ id: number }>`select id from app_user where name = ${name}`.execute(em.getKysely());
  const [user] = rows;
  if (user !== undefined) {
    throw conflict(`the name ${JSON.stringify(name)} is already taken by user ${user.id}`, 'name');
  }
}

/** Changes of a user; null keeps a value. */
interface UserChange {
  name: string | null;
  role: Role | null;
  /** True disables the user: none of their keys works until it is false again. */
  disabled: boolean | null;
}

/** Returns a valid `change`; BAD_USER_INPUT otherwise. */
export function readUserChange(change: UserChange): UserChange {
  if (change.name !== null) readUserName(change.name, 'name');
  return change;
}

/**
 * Applies a change that `readUserChange` checked. NOT_FOUND at `user` if the user does not exist, CONFLICT if the name
 * is taken or no admin with a key would be left. After the commit, notify the processes that serve the user.
 */
export async function updateUser(em: EntityManager, by: AuditedBy, id: number, wanted: UserChange): Promise<void> {
  await lockUsers(em);
  const database = em.getKysely();
  const { rows } = await sql<{ name: string; role: Role; disabled: boolean }>`
    select name, role, disabled_at is not null as disabled from app_user where id = ${id}
  `.execute(database);
  const [before] = rows;
  if (before === undefined) throw notFound('the user does not exist', 'user');
  const after = {
    name: wanted.name ?? before.name,
    role: wanted.role ?? before.role,
    disabled: wanted.disabled ?? before.disabled,
  };
  const change = differences(before, after);
  if (change === undefined) return;
  if (after.name !== before.name) await checkNameIsFree(em, after.name);
  await sql`
    update app_user set name = ${after.name}, role = ${after.role},
      disabled_at = case when ${after.disabled} then coalesce(disabled_at, now()) end
    where id = ${id}
  `.execute(database);
  await checkAdminLeft(em, after.disabled ? 'disabled' : 'role');
  await recordAudit(em, by, { action: 'updateUser', target: before.name, change });
}
