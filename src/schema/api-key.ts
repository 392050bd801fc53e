// API keys, as far as old callers bring theirs along.
import { sql } from 'kysely';
import { importApiKey } from '../credentials/import-key.ts';
import { inTransaction } from '../database/transaction.ts';
import { badInput, notFound } from '../errors.ts';
import { builder } from './builder.ts';
import { RoleEnum } from './enums.ts';
import { readText } from './input.ts';
import { UserRef } from './refs.ts';

interface ApiKeyRow {
  key: string;
  user_id: number;
  created_at: string;
  revoked_at: string | null;
}

const ApiKey = builder.objectRef<ApiKeyRow>('ApiKey').implement({
  description: 'The public half of a key and secret pair with which a user proves who they are.',
  fields: (t) => ({
    key: t.exposeString('key', { description: 'Sent with every call; the secret is never shown.' }),
    user: t.field({ type: UserRef, description: 'Whose it is.', resolve: ({ user_id }) => user_id }),
    createdAt: t.field({ type: 'DateTime', description: 'Since when it is stored.', resolve: (row) => row.created_at }),
    revokedAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'Since when it opens nothing; null while it does.',
      resolve: (row) => row.revoked_at,
    }),
  }),
});

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
    apiKey: t.field({ type: ApiKey, nullable: true, description: 'The key.', resolve: ({ apiKey }) => apiKey }),
  }),
});

const MAX_ID = 2_147_483_647;

builder.mutationField('importApiKey', (t) =>
  t.field({
    type: ImportApiKeyPayload,
    nullable: true,
    authScopes: { admin: true },
    description:
      'Stores a key and secret of the old installation, so that its callers go on with theirs. Done again it changes nothing.',
    args: { input: t.arg({ type: ImportApiKeyInput, required: true, description: 'All of it.' }) },
    resolve: async (_root, { input }, { em, vault }) => {
      const { userLegacyId: id, role } = input;
      if (id < 1) throw badInput('input.userLegacyId', `it is ${id}; accepted is 1 to ${MAX_ID}`);
      const name = input.userName == null ? null : readText(input.userName, 'input.userName', { least: 1 });
      const apiKey = await inTransaction(em, async (transaction) => {
        const keyId = await importApiKey(transaction, vault, { ...input, user: { id, name, role } });
        const { rows } = await sql<ApiKeyRow>`
          select key, user_id, created_at::text, revoked_at::text from api_key where id = ${keyId}
        `.execute(transaction.getKysely());
        return rows[0];
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
    apiKey: t.field({ type: ApiKey, nullable: true, description: 'The key.', resolve: ({ apiKey }) => apiKey }),
  }),
});

builder.mutationField('revokeApiKey', (t) =>
  t.field({
    type: RevokeApiKeyPayload,
    nullable: true,
    authScopes: { admin: true },
    description:
      'Revokes a key: it opens nothing any more, and its open subscriptions and WebSockets end. Done again it changes nothing.',
    args: { input: t.arg({ type: RevokeApiKeyInput, required: true, description: 'All of it.' }) },
    resolve: async (_root, { input }, { em, notifications }) => {
      const key = readText(input.key, 'input.key', { least: 1 });
      const { rows } = await sql<ApiKeyRow>`
        update api_key set revoked_at = coalesce(revoked_at, now()) where key = ${key}
        returning key, user_id, created_at::text, revoked_at::text
      `.execute(em.getKysely());
      const apiKey = rows[0];
      if (apiKey === undefined) throw notFound(`there is no key ${JSON.stringify(key)}`, 'input.key');
      notifications.notify('slotkeeper_keys');
      return { apiKey };
    },
  }),
);

interface LegacyCallerRow extends ApiKeyRow {
  action: string;
  calls: number;
  last_called_at: string;
}

const LegacyCaller = builder.objectRef<LegacyCallerRow>('LegacyCaller').implement({
  description: 'How an API key uses an action of the old API.',
  fields: (t) => ({
    apiKey: t.field({ type: ApiKey, description: 'Who calls.', resolve: (row) => row }),
    action: t.exposeString('action', { description: "The action's name, or `unknown` for calls of none." }),
    calls: t.exposeFloat('calls', { description: 'How often it was called; a whole number.' }),
    lastCalledAt: t.field({
      type: 'DateTime',
      description: 'When it was called last, to within two seconds.',
      resolve: (row) => row.last_called_at,
    }),
  }),
});

const MAX_CALLERS = 500;

builder.queryField('legacyCallers', (t) =>
  t.field({
    type: [LegacyCaller],
    authScopes: { admin: true },
    description: 'Which API keys still use which actions of the old API, the last to call first.',
    complexity: ({ first }) => ({ field: 1, multiplier: Math.min(Math.max(first, 1), MAX_CALLERS) }),
    args: {
      first: t.arg.int({ required: true, defaultValue: 100, description: `How many, ${MAX_CALLERS} at most.` }),
    },
    resolve: async (_root, { first }, { em }) => {
      if (first < 1 || first > MAX_CALLERS) {
        throw badInput('first', `it is ${first}; accepted is 1 to ${MAX_CALLERS}`);
      }
      const { rows } = await sql<LegacyCallerRow>`
        select key, user_id, created_at::text, revoked_at::text, action, calls, last_called_at::text
        from legacy_usage join api_key on api_key.id = api_key_id
        order by last_called_at desc, api_key_id, action limit ${first}
      `.execute(em.getKysely());
      return rows;
    },
  }),
);
