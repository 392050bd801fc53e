// Who still uses the old API.
import { sql } from 'kysely';
import type { ApiKeyRow } from '../../credentials/api-key-rows.ts';
import { badInput } from '../../lib/faults.ts';
import { builder } from '../builder.ts';
import { ApiKeyRef } from './api-key.ts';

interface LegacyCallerRow extends ApiKeyRow {
  action: string;
  calls: number;
  last_called_at: string;
}

const LegacyCaller = builder.objectRef<LegacyCallerRow>('LegacyCaller').implement({
  description: 'Use of an action of the old API by an API key.',
  fields: (t) => ({
    apiKey: t.field({ type: ApiKeyRef, description: 'The key that calls.', resolve: (row) => row }),
    action: t.exposeString('action', {
      description: 'The name of the action, or `unknown` for calls that name no known action.',
    }),
    calls: t.exposeFloat('calls', { description: 'Number of calls, an integer.' }),
    lastCalledAt: t.field({
      type: 'DateTime',
      description: 'When it was last called, accurate to two seconds.',
      resolve: (row) => row.last_called_at,
    }),
  }),
});

const MAX_CALLERS = 500;

builder.queryField('legacyCallers', (t) =>
  t.field({
    type: [LegacyCaller],
    authScopes: { admin: true },
    description: 'Which API keys still use which actions of the old API, most recent caller first.',
    complexity: ({ first }) => ({ field: 1, multiplier: Math.min(Math.max(first, 1), MAX_CALLERS) }),
    args: {
      first: t.arg.int({ required: true, defaultValue: 100, description: `At most ${MAX_CALLERS}; 100 by default.` }),
    },
    resolve: async (_root, { first }, { em }) => {
      if (first < 1 || first > MAX_CALLERS) {
        throw badInput('first', `must be 1 to ${MAX_CALLERS}, got ${first}`);
      }
      const { rows } = await sql<LegacyCallerRow>`
        select api_key.id, key, user_id, created_at::text, revoked_at::text, last_used_at::text, action, calls, last_called_at::text
        from legacy_usage join api_key on api_key.id = api_key_id
        order by legacy_usage.last_called_at desc, api_key_id, action limit ${first}
      `.execute(em.getKysely());
      return rows;
    },
  }),
);
