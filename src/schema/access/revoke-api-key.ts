import type { ApiKeyRow } from '../../credentials/api-key-rows.ts';
import { revokeApiKey } from '../../credentials/revoke-key.ts';
import { inTransaction } from '../../database/transaction.ts';
import { builder } from '../builder.ts';
import { auditedBy } from '../log/audit.ts';
import { ApiKeyRef } from './api-key.ts';

const RevokeApiKeyInput = builder.inputType('RevokeApiKeyInput', {
  description: 'The key to revoke.',
  fields: (t) => ({ key: t.string({ required: true, description: 'The public key.' }) }),
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
      'Revokes a key: it stops working, and its open subscriptions and WebSockets end. Repeating it changes nothing. CONFLICT if it is the last working key of an admin.',
    args: { input: t.arg({ type: RevokeApiKeyInput, required: true }) },
    resolve: async (_root, { input }, context) => {
      const { em, notifications } = context;
      const apiKey = await inTransaction(em, (transaction) => revokeApiKey(transaction, auditedBy(context), input.key));
      notifications.notify('slotkeeper_keys');
      return { apiKey };
    },
  }),
);
