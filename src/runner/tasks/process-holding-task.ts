import { sql } from 'kysely';
import { z } from 'zod';
import { defineTaskClass } from './task-class.ts';

/** 30 unless given, 0 moves a block as soon as it is held: the old product's setting. */
const DEFAULT_HOLDING_DAYS = 30;
const MAX_HOLDING_DAYS = 9_999;

/**
 * Address blocks that have been in the holding tank for longer than the holding days become available.
 * The old page's message, its last blank included: `Holding tank processed. N IPv4 and M IPv6 blocks moved to the
 * available pool. `
 */
export const ProcessHoldingTask = defineTaskClass({
  name: '\\scheduler\\Tasks\\ProcessHoldingTask',
  description: 'Moves address blocks that have been in the holding tank for longer than the holding days to available.',
  dataSchema: z.looseObject({
    holding_days: z
      .union([
        z.int().min(0).max(MAX_HOLDING_DAYS),
        z
          .string()
          .trim()
          .regex(/^\d{1,4}$/)
          .transform(Number),
      ])
      .nullish()
      .describe('Days that a block stays in the holding tank; 0 moves it at once. 30 unless given.'),
  }),
  async run({ em }, data) {
    const days = data.holding_days ?? DEFAULT_HOLDING_DAYS;
    // One statement: blocks that another runner moves at the same time are counted by one of the two only.
    const { rows } = await sql<{ v4: number; v6: number }>`
      with moved as (
        update ip_block set state = 'AVAILABLE', held_at = null
        where state = 'HOLDING' and held_at <= now() - make_interval(days => ${days})
        returning family
      )
      select count(*) filter (where family = 4)::int as v4, count(*) filter (where family = 6)::int as v6 from moved
    `.execute(em.getKysely());
    const { v4, v6 } = rows[0] ?? { v4: 0, v6: 0 };
    return `Holding tank processed. ${v4} IPv4 and ${v6} IPv6 blocks moved to the available pool. `;
  },
});
