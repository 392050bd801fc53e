import { defineEntity, p } from '@mikro-orm/core';
import { User } from './user.ts';

/** How long a call is remembered, as an interval of PostgreSQL. */
export const CALLS_KEPT_FOR = '24 hours';

const IdempotencyKeySchema = defineEntity({
  name: 'IdempotencyKey',
  tableName: 'idempotency_key',
  properties: {
    user: () => p.manyToOne(User).ref().primary(),
    key: p.text().primary(),
    /** SHA-256 of the mutation's name and input: another body under the same key is refused. */
    fingerprint: p.blob(),
    /** The task, run or block that the first call made or changed. */
    resultId: p.bigint('number').nullable(),
    createdAt: p.datetime().defaultRaw('now()').index(),
  },
  checks: [{ name: 'idempotency_key_length', expression: 'char_length(key) between 1 and 255' }],
});

/** The result of a mutation, so that a repeated call answers with the same result. */
export class IdempotencyKey extends IdempotencyKeySchema.class {}
IdempotencyKeySchema.setClass(IdempotencyKey);

export { IdempotencyKeySchema };
