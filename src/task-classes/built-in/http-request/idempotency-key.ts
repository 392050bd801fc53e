import { createHash } from 'node:crypto';
import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import type { TaskContext } from '../../task-class.ts';

/**
 * A UUID (version 8) for the work that a run stands for: that of its task and slot, else of the run itself. It is the same
 * in each attempt, in a run that repeats the slot, and after a restore. The instant at which the task was added, to the
 * microsecond, is part of it, so that a receiver can serve two installations whose tasks have the same ids.
 */
export async function idempotencyKeyOf(
  em: EntityManager,
  task: Pick<TaskContext['task'], 'id'>,
  run: Pick<TaskContext['run'], 'id' | 'slot'>,
): Promise<string> {
  const { rows } = await sql<{ addedAt: string }>`
    select extract(epoch from created_at)::text as "addedAt" from task where id = ${task.id}
  `.execute(em.getKysely());
  const [row] = rows;
  if (row === undefined) throw new Error('the task is gone');
  const work = run.slot === null ? `run ${run.id}` : `slot ${run.slot.toISOString()}`;
  const bytes = createHash('sha256').update(`task ${task.id} added ${row.addedAt} ${work}`).digest().subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
