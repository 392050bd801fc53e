import { defineEntity, p } from '@mikro-orm/core';

/** AVAILABLE to assign, ASSIGNED to someone, or in the HOLDING tank after use until its holding days are over. */
const IP_BLOCK_STATES = ['AVAILABLE', 'ASSIGNED', 'HOLDING'] as const;
export type IpBlockState = (typeof IP_BLOCK_STATES)[number];

const IpBlockSchema = defineEntity({
  name: 'IpBlock',
  tableName: 'ip_block',
  properties: {
    id: p.integer().primary().autoincrement(),
    pool: p.text(),
    /** Overlapping blocks of one pool are refused by the exclusion constraint `ip_block_no_overlap`. */
    cidr: p.string().columnType('cidr'),
    /** 4 or 6, computed by the database. */
    family: p.smallint().generated('(family(cidr)) stored'),
    state: p.enum(IP_BLOCK_STATES).default('AVAILABLE'),
    assignee: p.text().nullable(),
    /** When the block entered the holding tank. */
    heldAt: p.datetime().nullable(),
    createdAt: p.datetime().defaultRaw('now()'),
  },
  checks: [
    { name: 'ip_block_pool_length', expression: 'char_length(pool) between 1 and 255' },
    { name: 'ip_block_assigned', expression: "(state = 'ASSIGNED') = (assignee is not null)" },
    { name: 'ip_block_held', expression: "(state = 'HOLDING') = (held_at is not null)" },
  ],
  indexes: [
    { name: 'ip_block_by_pool', properties: ['pool', 'id'] },
    { name: 'ip_block_by_family', properties: ['family', 'id'] },
    // Read by the holding task.
    { name: 'ip_block_holding', properties: ['heldAt', 'id'], where: "state = 'HOLDING'" },
  ],
});

/** A block of addresses in a pool. */
export class IpBlock extends IpBlockSchema.class {}
IpBlockSchema.setClass(IpBlock);

export { IpBlockSchema };
