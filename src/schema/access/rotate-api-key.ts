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
