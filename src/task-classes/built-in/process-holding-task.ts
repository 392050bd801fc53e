import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { z } from 'zod';
import { defineTaskClass } from '../task-class.ts';

export const MAX_HOLDING_DAYS = 9_999;
/** Blocks in one transaction: some tenths of a second, so that no caller waits long for a block. */
const BATCH = 5_000;

/** Blocks moved, by family; of a run so far, kept as its checkpoint. */
const counts = z.object({ v4: z.int(), v6: z.int() });
type Counts = z.infer<typeof counts>;

/** Where the next batch begins. */
interface Position {
  heldAt: string;
  id: number;
}

const START: Position = { heldAt: '-infinity', id: 0 };

/**
 * Makes address blocks available that have been in the holding tank for longer than the holding days of the task's
 * data, or `defaultDays`. The message is that of the old page, including its final space: `Holding tank processed. N
 * IPv4 and M IPv6 blocks moved to the available pool. ` Each batch is one transaction, which also stores the counts so
 * far as the run's checkpoint: an attempt that is killed has moved and counted whole batches, and the next one
 * continues from there.
 */
export function processHoldingTask(defaultDays: number) {
  return defineTaskClass({
    name: '\\scheduler\\Tasks\\ProcessHoldingTask',
    title: 'Process the holding tank',
    description:
      'Moves address blocks that have been in the holding tank for longer than the holding days to available.',
    data: z.looseObject({
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
        .describe(`Days that a block stays in the holding tank; 0 moves it at once. ${defaultDays} unless given.`),
    }),
    // Two at once would move each block once, but would split the count between two messages.
    exclusive: true,
    async run({ data, run, em, signal, progress, checkpoint }) {
      const cutoff = await cutoffOf(em, data.holding_days ?? defaultDays);
      let moved: Counts = run.checkpoint === null ? { v4: 0, v6: 0 } : counts.parse(run.checkpoint);
      const total = moved.v4 + moved.v6 + (await tankAt(em, cutoff));
      const moveNext = async (from: Position, waits: boolean) => {
        let last: Position | null = null;
        moved = await checkpoint(async (transaction) => {
          const batch = await moveBatch(transaction, cutoff, from, waits);
          last = batch.last;
          return { v4: moved.v4 + batch.v4, v6: moved.v6 + batch.v6 };
        });
        return last;
      };
      // First all blocks that are not locked, then the locked ones, waiting for them.
      for (let waits = false; ; waits = true) {
        for (let from: Position | null = START; from !== null; ) {
          signal.throwIfAborted();
          from = await moveNext(from, waits);
          if (total > 0) progress(Math.min(moved.v4 + moved.v6, total), total);
        }
        if ((await tankAt(em, cutoff)) === 0) break;
      }
      return `Holding tank processed. ${moved.v4} IPv4 and ${moved.v6} IPv6 blocks moved to the available pool. `;
    },
  });
}

interface Moved extends Counts {
  /** Null when there was nothing after the position. */
  last: Position | null;
}

/**
 * Blocks held before then are due, by the clock of the database; blocks that become due later are left to the next run.
 */
async function cutoffOf(em: EntityManager, days: number): Promise<string> {
  const { rows } = await sql<{ cutoff: string }>`
    select (now() - make_interval(days => ${days}))::text as cutoff
  `.execute(em.getKysely());
  const [row] = rows;
  if (row === undefined) throw new Error('the database told no time');
  return row.cutoff;
}

async function tankAt(em: EntityManager, cutoff: string): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    select count(*)::int as count from ip_block where state = 'HOLDING' and held_at <= ${cutoff}::timestamptz
  `.execute(em.getKysely());
  return rows[0]?.count ?? 0;
}

/** Moves up to one batch of due blocks after `from`; with `waits`, it waits for locked ones. */
async function moveBatch(em: EntityManager, cutoff: string, from: Position, waits: boolean): Promise<Moved> {
  const { rows } = await sql<{ v4: number; v6: number; heldAt: string | null; id: number | null }>`
    with batch as (
      select id, held_at from ip_block
      where state = 'HOLDING' and held_at <= ${cutoff}::timestamptz
        and (held_at, id) > (${from.heldAt}::timestamptz, ${from.id}::int)
      order by held_at, id limit ${BATCH} for update ${waits ? sql`` : sql`skip locked`}
    ), moved as (
      update ip_block set state = 'AVAILABLE', held_at = null from batch where ip_block.id = batch.id returning family
    )
    select count(*) filter (where family = 4)::int as v4, count(*) filter (where family = 6)::int as v6,
      (select held_at::text from batch order by held_at desc, id desc limit 1) as "heldAt",
      (select id from batch order by held_at desc, id desc limit 1) as id
    from moved
  `.execute(em.getKysely());
  const [row] = rows;
  if (row === undefined) throw new Error('the batch was not counted');
  const { v4, v6, heldAt, id } = row;
  return { v4, v6, last: heldAt === null || id === null ? null : { heldAt, id } };
}
