// Users are added, and get another name or role.
import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { differences } from '../credentials/audit.ts';
import { checkAdminLeft, insertUser, lockUsers, MAX_USER_ID, type NewUser } from '../credentials/users.ts';
import { withIdempotencyKey } from '../database/idempotency.ts';
import type { Role } from '../entities/user.ts';
import { badInput, conflict, notFound } from '../lib/faults.ts';
import { readGlobalId } from '../lib/global-id.ts';
import { readText } from '../lib/input.ts';
import { audit } from './audit.ts';
import { builder } from './builder.ts';
import type { Context } from './context.ts';
import { RoleEnum } from './enums.ts';
import { IDEMPOTENCY_KEY } from './idempotency-key.ts';
import { UserRef } from './refs.ts';

const NAME = 'unique among users, 1 to 255 characters';

/** The field of a payload that says which user was added or changed. */
const userOf = {
  type: UserRef,
  nullable: true,
  description: 'The user, as they are now.',
  resolve: ({ userId }: { userId: number }) => userId,
} as const;

function readName(name: string): string {
  return readText(name, 'input.name', { least: 1 });
}

builder.relayMutationField(
  'addUser',
  {
    description: 'Someone who is to own tasks and hold API keys.',
    inputFields: (t) => ({
      name: t.string({ required: true, description: `Their name: ${NAME}.` }),
      role: t.field({ type: RoleEnum, required: true, description: 'What they may do.' }),
      legacyId: t.int({ description: 'Their `user_id` in the old API; the next after the highest unless given.' }),
      idempotencyKey: t.string(IDEMPOTENCY_KEY),
    }),
  },
  {
    description:
      'Adds a user; for admins. CONFLICT where the name or the id is taken. They need an API key to come in.',
    authScopes: { admin: true },
    resolve: async (_root, { input }, context) => {
      const name = readName(input.name);
      const id = input.legacyId ?? null;
      if (id !== null && id < 1) throw badInput('input.legacyId', `it is ${id}; accepted is 1 to ${MAX_USER_ID}`);
      const user = { id, name, role: input.role };
      const userId = await withIdempotencyKey(context, 'addUser', input, async (em) => {
        const added = await addUser(em, user);
        await audit(em, context, { action: 'addUser', target: name, change: { legacyId: added, role: input.role } });
        return added;
      });
      return { userId };
    },
  },
  { description: 'The user who was added.', outputFields: (t) => ({ user: t.field(userOf) }) },
);

async function addUser(em: EntityManager, user: NewUser): Promise<number> {
  await lockUsers(em);
  const id = await insertUser(em, user);
  if (id !== null) return id;
  await checkNameIsFree(em, user.name);
  throw conflict(`there is a user ${user.id} already`, 'input.legacyId');
}

async function checkNameIsFree(em: EntityManager, name: string): Promise<void> {
  const { rows } = await sql<{ id: number }>`select id from app_user where name = ${name}`.execute(em.getKysely());
  const [user] = rows;
  if (user !== undefined) {
    throw conflict(`the name ${JSON.stringify(name)} is that of user ${user.id} already`, 'input.name');
  }
}

builder.relayMutationField(
  'updateUser',
  {
    description: 'What to change of a user. A field left out stays as it is.',
    inputFields: (t) => ({
      user: t.id({ required: true, description: 'Which user.' }),
      name: t.string({ description: `Their new name: ${NAME}.` }),
      role: t.field({ type: RoleEnum, description: 'What they may do from now on.' }),
      disabled: t.boolean({
        description:
          'True shuts them out: none of their keys opens anything until it is false again. Their tasks go on.',
      }),
      idempotencyKey: t.string(IDEMPOTENCY_KEY),
    }),
  },
  {
    description:
      'Changes a user; for admins. Another role counts at once, and so does being disabled: their open subscriptions and WebSockets end, to be opened anew by who may. CONFLICT where the name is taken, or where no admin with an API key would be left.',
    authScopes: { admin: true },
    resolve: async (_root, { input }, context) => {
      const id = readGlobalId('User', input.user, 'input.user');
      const name = input.name == null ? null : readName(input.name);
      const { role, disabled } = input;
      const wanted = { name, role: role ?? null, disabled: disabled ?? null };
      const userId = await withIdempotencyKey(context, 'updateUser', input, (em) =>
        updateUser(em, context, id, wanted),
      );
      context.notifications.notify('slotkeeper_keys');
      return { userId };
    },
  },
  { description: 'The user who was changed.', outputFields: (t) => ({ user: t.field(userOf) }) },
);

/** What a user is to become; null leaves a part as it is. */
interface WantedUser {
  name: string | null;
  role: Role | null;
  disabled: boolean | null;
}

async function updateUser(em: EntityManager, context: Context, id: number, wanted: WantedUser): Promise<number> {
  await lockUsers(em);
  const database = em.getKysely();
  const { rows } = await sql<{ name: string; role: Role; disabled: boolean }>`
    select name, role, disabled_at is not null as disabled from app_user where id = ${id}
  `.execute(database);
  const [before] = rows;
  if (before === undefined) throw notFound('there is no such user', 'input.user');
  const after = {
    name: wanted.name ?? before.name,
    role: wanted.role ?? before.role,
    disabled: wanted.disabled ?? before.disabled,
  };
  const change = differences(before, after);
  if (change === undefined) return id;
  if (after.name !== before.name) await checkNameIsFree(em, after.name);
  await sql`
    update app_user set name = ${after.name}, role = ${after.role},
      disabled_at = case when ${after.disabled} then coalesce(disabled_at, now()) end
    where id = ${id}
  `.execute(database);
  await checkAdminLeft(em, after.disabled ? 'input.disabled' : 'input.role');
  await audit(em, context, { action: 'updateUser', target: before.name, change });
  return id;
}
