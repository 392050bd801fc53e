// API keys are made, brought along by old callers, and revoked.
import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { importApiKey } from '../credentials/import-key.ts';
import { newPair } from '../credentials/new-pair.ts';
import { checkAdminLeft, lockUsers, MAX_USER_ID } from '../credentials/users.ts';
import { withIdempotencyKey } from '../database/idempotency.ts';
import { inTransaction } from '../database/transaction.ts';
import { badInput, conflict, notFound } from '../lib/faults.ts';
import { readGlobalId } from '../lib/global-id.ts';
import { readText } from '../lib/input.ts';
import { ApiKeyRef, type ApiKeyRow, apiKeyRows } from './api-key.ts';
import { audit } from './audit.ts';
import { builder } from './builder.ts';
import type { Context } from './context.ts';
import { RoleEnum } from './enums.ts';
import { IDEMPOTENCY_KEY } from './idempotency-key.ts';

builder.relayMutationField(
  'createApiKey',
  {
    description: 'Whose key to make.',
    inputFields: (t) => ({
      user: t.id({ required: true, description: 'The user who proves with it who they are.' }),
      idempotencyKey: t.string({
        description: `${IDEMPOTENCY_KEY.description} The secret is in the first answer alone: where that was lost, revoke the key and make another.`,
      }),
    }),
  },
  {
    description: 'Makes a key and secret for a user; for admins. The secret is in this answer and nowhere else.',
    authScopes: { admin: true },
    resolve: async (_root, { input }, context) => {
      const userId = readGlobalId('User', input.user, 'input.user');
      // What is kept for repeats is the key's id: this stays null in the answer to one.
      let secret: string | null = null;
      const apiKeyId = await withIdempotencyKey(context, 'createApiKey', input, async (em) => {
        const database = em.getKysely();
        const { rows } = await sql<{ name: string }>`select name from app_user where id = ${userId}`.execute(database);
        const [user] = rows;
        if (user === undefined) throw notFound('there is no such user', 'input.user');
        const pair = newPair(user.name);
        secret = pair.secret;
        await audit(em, context, { action: 'createApiKey', target: pair.key, change: { user: user.name } });
        return insertKey(em, pair.key, context.vault.seal(pair.secret), userId);
      });
      return { apiKeyId, secret };
    },
  },
  {
    description: 'The key that was made.',
    outputFields: (t) => ({
      apiKey: t.field({
        type: ApiKeyRef,
        nullable: true,
        description: 'The key.',
        resolve: ({ apiKeyId }, _arguments, { em }) => apiKeyRows(em).where('id', '=', apiKeyId).executeTakeFirst(),
      }),
      secret: t.exposeString('secret', {
        nullable: true,
        description: 'Its secret, to be kept now: it is never shown again. Null in the answer to a repeated call.',
      }),
    }),
  },
);

/** A day, in which callers take the new key into use. */
const OVERLAP_SECONDS = 86_400;
const MAX_OVERLAP_SECONDS = 90 * 86_400;

builder.relayMutationField(
  'rotateApiKey',
  {
    description: 'Which key to replace.',
    inputFields: (t) => ({
      key: t.string({ required: true, description: 'The public half of the key.' }),
      overlapSeconds: t.int({
        required: true,
        defaultValue: OVERLAP_SECONDS,
        description: `For so long the former key still opens; 0 to ${MAX_OVERLAP_SECONDS}.`,
      }),
      idempotencyKey: t.string({
        description: `${IDEMPOTENCY_KEY.description} The secret is in the first answer alone.`,
      }),
    }),
  },
  {
    description:
      'Replaces a key by a new one of the same user; for admins. Both open until the former one is revoked by itself, so that callers change over one by one. CONFLICT for a key that is revoked.',
    authScopes: { admin: true },
    resolve: async (_root, { input }, context) => {
      const key = readText(input.key, 'input.key', { least: 1 });
      const { overlapSeconds } = input;
      if (overlapSeconds < 0 || overlapSeconds > MAX_OVERLAP_SECONDS) {
        const accepted = `0 to ${MAX_OVERLAP_SECONDS}`;
        throw badInput('input.overlapSeconds', `it is ${overlapSeconds}; accepted is ${accepted}`);
      }
      // As with createApiKey: null in the answer to a repeated call.
      let secret: string | null = null;
      const apiKeyId = await withIdempotencyKey(context, 'rotateApiKey', input, async (em) => {
        const former = await retire(em, key, overlapSeconds);
        const pair = newPair(former.user_name);
        secret = pair.secret;
        const change = { replacedBy: pair.key, overlapSeconds };
        await audit(em, context, { action: 'rotateApiKey', target: key, change });
        return insertKey(em, pair.key, context.vault.seal(pair.secret), former.user_id);
      });
      context.notifications.notify('slotkeeper_keys');
      return { apiKeyId, key, secret };
    },
  },
  {
    description: 'The key that was made, and the one that it replaces.',
    outputFields: (t) => ({
      apiKey: t.field({
        type: ApiKeyRef,
        nullable: true,
        description: 'The new key.',
        resolve: ({ apiKeyId }, _arguments, { em }) => apiKeyRows(em).where('id', '=', apiKeyId).executeTakeFirst(),
      }),
      formerApiKey: t.field({
        type: ApiKeyRef,
        nullable: true,
        description: 'The former key, with the time from which on it opens nothing.',
        resolve: ({ key }, _arguments, { em }) => apiKeyRows(em).where('key', '=', key).executeTakeFirst(),
      }),
      secret: t.exposeString('secret', {
        nullable: true,
        description: 'The secret of the new key, to be kept now. Null in the answer to a repeated call.',
      }),
    }),
  },
);

/** Sets the end of a key that opens, at most so far away. The row lock keeps two from replacing it at once. */
async function retire(em: EntityManager, key: string, seconds: number) {
  await lockUsers(em);
  const { rows } = await sql<{ user_id: number; user_name: string; revoked: boolean }>`
    select user_id, app_user.name as user_name, coalesce(revoked_at <= now(), false) as revoked
    from api_key join app_user on app_user.id = user_id where key = ${key}
  `.execute(em.getKysely());
  const [former] = rows;
  if (former === undefined) throw notFound(`there is no key ${JSON.stringify(key)}`, 'input.key');
  if (former.revoked) throw conflict('the key is revoked', 'input.key');
  await sql`
    update api_key set revoked_at = least(revoked_at, now() + make_interval(secs => ${seconds})) where key = ${key}
  `.execute(em.getKysely());
  return former;
}

async function insertKey(em: EntityManager, key: string, sealed: Buffer, userId: number): Promise<number> {
  const { rows } = await sql<{ id: number }>`
    insert into api_key (key, sealed_secret, user_id) values (${key}, ${sealed}, ${userId}) returning id
  `.execute(em.getKysely());
  const [row] = rows;
  if (row === undefined) throw new Error('the key was not stored');
  return row.id;
}

const ImportApiKeyInput = builder.inputType('ImportApiKeyInput', {
  description: 'A key and secret that callers have already, and whose they are.',
  fields: (t) => ({
    key: t.string({ required: true, description: 'The public half.' }),
    secret: t.string({ required: true, description: 'The secret half; stored encrypted.' }),
    userLegacyId: t.int({ required: true, description: 'The `user_id` of the old API, which callers send along.' }),
    userName: t.string({ description: 'Their name; needed for a user that there is not yet.' }),
    role: t.field({
      type: RoleEnum,
      required: true,
      defaultValue: 'OPERATOR',
      description: 'For a user that there is not yet; an existing user keeps theirs.',
    }),
  }),
});

const ImportApiKeyPayload = builder.objectRef<{ apiKey: ApiKeyRow }>('ImportApiKeyPayload').implement({
  description: 'The key that was stored.',
  fields: (t) => ({
    apiKey: t.field({ type: ApiKeyRef, nullable: true, description: 'The key.', resolve: ({ apiKey }) => apiKey }),
  }),
});

builder.mutationField('importApiKey', (t) =>
  t.field({
    type: ImportApiKeyPayload,
    nullable: true,
    authScopes: { admin: true },
    description:
      'Stores a key and secret of the old installation, so that its callers go on with theirs. Done again it changes nothing.',
    args: { input: t.arg({ type: ImportApiKeyInput, required: true, description: 'All of it.' }) },
    resolve: async (_root, { input }, context) => {
      const { em, vault } = context;
      const { userLegacyId: id, role } = input;
      if (id < 1) throw badInput('input.userLegacyId', `it is ${id}; accepted is 1 to ${MAX_USER_ID}`);
      const name = input.userName == null ? null : readText(input.userName, 'input.userName', { least: 1 });
      const apiKey = await inTransaction(em, async (transaction) => {
        const { keyId, isNew } = await importApiKey(transaction, vault, { ...input, user: { id, name, role } });
        if (isNew) {
          await audit(transaction, context, {
            action: 'importApiKey',
            target: input.key,
            change: { userLegacyId: id },
          });
        }
        return apiKeyRows(transaction).where('id', '=', keyId).executeTakeFirst();
      });
      if (apiKey === undefined) throw new Error('the key was not stored');
      return { apiKey };
    },
  }),
);

const RevokeApiKeyInput = builder.inputType('RevokeApiKeyInput', {
  description: 'Which key to revoke.',
  fields: (t) => ({ key: t.string({ required: true, description: 'The public half.' }) }),
});

const RevokeApiKeyPayload = builder.objectRef<{ apiKey: ApiKeyRow }>('RevokeApiKeyPayload').implement({
  description: 'The key that was revoked.',
  fields: (t) => ({
    apiKey: t.field({ type: ApiKeyRef, nullable: true, description: 'The key.', resolve: ({ apiKey }) => apiKey }),
  }),
});

builder.mutationField('revokeApiKey', (t) =>
  t.field({
    type: RevokeApiKeyPayload,
    nullable: true,
    authScopes: { admin: true },
    description:
      'Revokes a key: it opens nothing any more, and its open subscriptions and WebSockets end. Done again it changes nothing. CONFLICT for the last key of an admin that opens anything.',
    args: { input: t.arg({ type: RevokeApiKeyInput, required: true, description: 'All of it.' }) },
    resolve: async (_root, { input }, context) => {
      const { em, notifications } = context;
      const key = readText(input.key, 'input.key', { least: 1 });
      const apiKey = await inTransaction(em, (transaction) => revoke(transaction, context, key));
      notifications.notify('slotkeeper_keys');
      return { apiKey };
    },
  }),
);

async function revoke(em: EntityManager, context: Context, key: string): Promise<ApiKeyRow> {
  await lockUsers(em);
  const { rows } = await sql`
    update api_key set revoked_at = now() where key = ${key} and (revoked_at is null or revoked_at > now()) returning id
  `.execute(em.getKysely());
  if (rows.length > 0) {
    await checkAdminLeft(em, 'input.key');
    await audit(em, context, { action: 'revokeApiKey', target: key });
  }
  const apiKey = await apiKeyRows(em).where('key', '=', key).executeTakeFirst();
  if (apiKey === undefined) throw notFound(`there is no key ${JSON.stringify(key)}`, 'input.key');
  return apiKey;
}
