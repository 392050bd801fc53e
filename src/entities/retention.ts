import { defineEntity, p } from '@mikro-orm/core';

const RetentionSchema = defineEntity({
  name: 'Retention',
  tableName: 'retention',
  properties: {
    /** Always 1: the row is the lock under which one process at a time removes records. */
    id: p.integer().primary().autoincrement(false),
    /** Records of slots before this whole minute may have been removed; null while all exist. */
    ledgerFrom: p.datetime().nullable(),
  },
  checks: [
    { name: 'retention_single', expression: 'id = 1' },
    { name: 'retention_whole_minute', expression: "ledger_from = date_trunc('minute', ledger_from, 'UTC')" },
  ],
});

/** The single row with the instant from which the record of slots is complete. */
export class Retention extends RetentionSchema.class {}
RetentionSchema.setClass(Retention);

export { RetentionSchema };
