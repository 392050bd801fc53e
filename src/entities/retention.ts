import { defineEntity, p } from '@mikro-orm/core';

const RetentionSchema = defineEntity({
  name: 'Retention',
  tableName: 'retention',
  properties: {
    /** Always 1: its row is the lock under which one process at a time removes. */
    id: p.integer().primary().autoincrement(false),
    /** Of slots before it, a whole minute, the records may be gone; null while all are there. */
    ledgerFrom: p.datetime().nullable(),
  },
  checks: [
    { name: 'retention_single', expression: 'id = 1' },
    { name: 'retention_whole_minute', expression: "ledger_from = date_trunc('minute', ledger_from, 'UTC')" },
  ],
});

/** The one row that says from when on the record of slots is whole. */
export class Retention extends RetentionSchema.class {}
RetentionSchema.setClass(Retention);

export { RetentionSchema };
