import { apiKeyRows } from '../../credentials/api-key-rows.ts';
import { createApiKey } from '../../credentials/issue-key.ts';
import { withIdempotencyKey } from '../../database/idempotency.ts';
import { readGlobalId } from '../../lib/global-id.ts';
import { builder } from '../builder.ts';
import { IDEMPOTENCY_KEY } from '../idempotency-key.ts';
import { auditedBy } from '../log/audit.ts';
import { ApiKeyRef } from './api-key.ts';

builder.relayMutationField(
  'createApiKey',
  {
    description: 'The user to create a key for.',
    inputFields: (t) => ({
      user: t.id({ required: true, description: 'The user whom the key authenticates.' }),
      idempotencyKey: t.string({
        description: `${IDEMPOTENCY_KEY.description} Only the first response has the secret: if it was lost, revoke the key and create another.`,
      }),
    }),
  },
  {
    description: 'Creates a key and secret for a user. Admins only. The secret is returned here and nowhere else.',
    authScopes: { admin: true },
    resolve: async (_root, { input }, context) => {
      const userId = readGlobalId('User', input.user, 'user');
      // Only the id of the key is kept for repeated calls, so the secret is null in their response.
      let secret: string | null = null;
      const apiKeyId = await withIdempotencyKey(context, 'createApiKey', input, async (em) => {
        const issued = await createApiKey(em, context.vault, auditedBy(context), userId);
        secret = issued.secret;
        return issued.id;
      });
      return { apiKeyId, secret };
    },
  },
  {
    description: 'The key that was created.',
    outputFields: (t) => ({
      apiKey: t.field({
        type: ApiKeyRef,
        nullable: true,
        description: 'The key.',
        resolve: ({ apiKeyId }, _arguments, { em }) => apiKeyRows(em).where('id', '=', apiKeyId).executeTakeFirst(),
      }),
      secret: t.exposeString('secret', {
        nullable: true,
        description: 'The secret. Store it now: it is never shown again. null in the response to a repeated call.',
      }),
    }),
  },
);
