import { type ApiKeyRow, apiKeyRows } from '../../credentials/api-key-rows.ts';
import { importApiKey } from '../../credentials/import-key.ts';
import { inTransaction } from '../../database/transaction.ts';
import { builder } from '../builder.ts';
import { RoleEnum } from '../enums.ts';
import { auditedBy } from '../log/audit.ts';
import { ApiKeyRef } from './api-key.ts';

const ImportApiKeyInput = builder.inputType('ImportApiKeyInput', {
  description: 'A key and secret that callers already use, and their user.',
  fields: (t) => ({
    key: t.string({ required: true, description: 'The public key.' }),
    secret: t.string({ required: true, description: 'The secret; stored encrypted.' }),
    userLegacyId: t.int({ required: true, description: 'The `user_id` of the old API, which callers send with it.' }),
    userName: t.string({ description: 'The name of the user; required if the user does not exist yet.' }),
    role: t.field({
      type: RoleEnum,
      required: true,
      defaultValue: 'OPERATOR',
      description: 'The role, if the user does not exist yet; an existing user keeps theirs.',
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
      'Stores a key and secret of the old installation, so that its callers can keep using them. Repeating it changes nothing.',
    args: { input: t.arg({ type: ImportApiKeyInput, required: true }) },
    resolve: async (_root, { input }, context) => {
      const { em, vault } = context;
      const { key, secret, userLegacyId, userName, role } = input;
      const imported = { key, secret, userLegacyId, userName: userName ?? null, role };
      const apiKey = await inTransaction(em, async (transaction) => {
        const { keyId } = await importApiKey(transaction, vault, auditedBy(context), imported);
        return apiKeyRows(transaction).where('id', '=', keyId).executeTakeFirst();
      });
      if (apiKey === undefined) throw new Error('the key was not stored');
      return { apiKey };
    },
  }),
);
