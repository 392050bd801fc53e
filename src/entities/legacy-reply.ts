import { defineEntity, p } from '@mikro-orm/core';
import { User } from './user.ts';

const LegacyReplySchema = defineEntity({
  name: 'LegacyReply',
  tableName: 'legacy_reply',
  properties: {
    user: () => p.manyToOne(User).ref().primary(),
    /** The call's Idempotency-Key header. */
    key: p.text().primary(),
    /** SHA-256 of the action and its parameters: another call under the same key is refused. */
    fingerprint: p.blob(),
    /** The exact bytes that were sent. */
    reply: p.text(),
    createdAt: p.datetime().defaultRaw('now()').index(),
  },
  checks: [{ name: 'legacy_reply_key_length', expression: 'char_length(key) between 1 and 255' }],
});

/** The reply to a call of the old API, so that a repeated call gets the same reply. */
export class LegacyReply extends LegacyReplySchema.class {}
LegacyReplySchema.setClass(LegacyReply);

export { LegacyReplySchema };
