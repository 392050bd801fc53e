import { defineEntity, p } from '@mikro-orm/core';
import { ApiKey } from './api-key.ts';

const LegacyUsageSchema = defineEntity({
  name: 'LegacyUsage',
  tableName: 'legacy_usage',
  properties: {
    apiKey: () => p.manyToOne(ApiKey).ref().primary(),
    /** A name of the action table, or `unknown`. */
    action: p.text().primary(),
    calls: p.bigint('number'),
    lastCalledAt: p.datetime().index(),
  },
});

/** How often an API key called an action of the old API, and when last. */
export class LegacyUsage extends LegacyUsageSchema.class {}
LegacyUsageSchema.setClass(LegacyUsage);

export { LegacyUsageSchema };
