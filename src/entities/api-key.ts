import { defineEntity, p } from '@mikro-orm/core';
import { User } from './user.ts';

const ApiKeySchema = defineEntity({
  name: 'ApiKey',
  tableName: 'api_key',
  properties: {
    id: p.integer().primary().autoincrement(),
    /** The public half, sent with every call. */
    key: p.text().unique(),
    /** The secret half, sealed with the master key (see `src/credentials/vault.ts`); never stored in clear. */
    sealedSecret: p.blob(),
    user: () => p.manyToOne(User).ref().index(),
    createdAt: p.datetime().defaultRaw('now()'),
    /** When the key stops working; in the future while it is being replaced. */
    revokedAt: p.datetime().nullable(),
    /** Accurate to about a minute. */
    lastUsedAt: p.datetime().nullable(),
  },
  checks: [{ name: 'api_key_key_length', expression: 'char_length(key) between 1 and 255' }],
});

/** A key and secret pair with which a user proves who they are. */
export class ApiKey extends ApiKeySchema.class {}
ApiKeySchema.setClass(ApiKey);

export { ApiKeySchema };
