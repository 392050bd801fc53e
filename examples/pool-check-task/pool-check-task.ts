// A task class of your own, complete: a check that fails when a pool of address blocks is about to run out. Start with
// TASK_MODULES=./examples/pool-check-task, and give the class `\examples\Tasks\PoolCheckTask` to a task.
import { defineTaskClass, PermanentError, sql, z } from 'slotkeeper';

export const PoolCheckTask = defineTaskClass({
  name: '\\examples\\Tasks\\PoolCheckTask',
  title: 'Check a pool',
  description: 'Fails when fewer address blocks of a pool are available than there are to be.',
  data: z.looseObject({
    pool: z.string().min(1).max(255).describe('The name of the pool.'),
    least: z.int().min(1).max(1_000_000).default(10).describe('Blocks that are to be available; 10 unless given.'),
  }),
  defaults: { timeoutSeconds: 60, retry: { attempts: 3, delaySeconds: 60 } },
  async run({ data: { pool, least }, em, log }) {
    const { rows } = await sql<{ available: number; total: number }>`
      select count(*) filter (where state = 'AVAILABLE')::int as available, count(*)::int as total
      from ip_block where pool = ${pool}
    `.execute(em.getKysely());
    const { available, total } = rows[0] ?? { available: 0, total: 0 };
    log(`${available} of ${total} blocks are available`, { pool, available, total });
    // Another try would not find it either.
    if (total === 0) throw new PermanentError(`There is no pool "${pool}".`);
    if (available < least) throw new Error(`Only ${available} blocks of pool "${pool}" are available, not ${least}.`);
    return `${available} blocks of pool "${pool}" are available.`;
  },
});
