import { apiKeyRows } from '../../credentials/api-key-rows.ts';
import { MAX_OVERLAP_SECONDS, OVERLAP_SECONDS, readRotation, rotateApiKey } from '../../credentials/issue-key.ts';
import { withIdempotencyKey } from '../../database/idempotency.ts';
import { builder } from '../builder.ts';
import { IDEMPOTENCY_KEY } from '../idempotency-key.ts';
import { auditedBy } from '../log/audit.ts';
import { ApiKeyRef } from './api-key.ts';

builder.relayMutationField(
  'rotateApiKey',
  {
    description: 'The key to replace.',
    inputFields: (t) => ({
      key: t.string({ required: true, description: 'The public key.' }),
      overlapSeconds: t.int({
        required: true,
        defaultValue: OVERLAP_SECONDS,
        description: `Seconds that the former key keeps working, 0 to ${MAX_OVERLAP_SECONDS}; ${OVERLAP_SECONDS} by default.`,
      }),
      idempotencyKey: t.string({
        description: `${IDEMPOTENCY_KEY.description} Only the first response has the secret.`,
      }),
    }),
  },
  {
    description:
      'Replaces a key with a new one of the same user. Admins only. Both work until the former one is revoked automatically, so that callers can switch one by one. CONFLICT if the key is revoked.',
    authScopes: { admin: true },
    resolve: async (_root, { input }, context) => {
      const { key, overlapSeconds } = input;
      const rotation = readRotation({ key, overlapSeconds });
      // As with createApiKey: null in the answer to a repeated call.
      let secret: string | null = null;
      const apiKeyId = await withIdempotencyKey(context, 'rotateApiKey', input, async (em) => {
        const issued = await rotateApiKey(em, context.vault, auditedBy(context), rotation);
        secret = issued.secret;
        return issued.id;
      });
      context.notifications.notify('slotkeeper_keys');
      return { apiKeyId, key, secret };
    },
  },
  {
    description: 'The new key and the one that it replaces.',
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
        description: 'The former key; its `revokedAt` says when it stops working.',
        resolve: ({ key }, _arguments, { em }) => apiKeyRows(em).where('key', '=', key).executeTakeFirst(),
      }),
      secret: t.exposeString('secret', {
        nullable: true,
        description: 'The secret of the new key. Store it now. null in the response to a repeated call.',
      }),
    }),
  },
);
