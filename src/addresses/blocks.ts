// Blocks of addresses come into a pool, go to an assignee and come back through the holding tank. Each function works in
// a transaction of its own.
import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { type AuditedBy, recordAudit } from '../credentials/audit.ts';
import { readRows } from '../database/rows.ts';
import { inTransaction } from '../database/transaction.ts';
import type { IpBlockState } from '../entities/ip-block.ts';
import { conflict, notFound } from '../lib/faults.ts';
import { readList, readText } from '../lib/input.ts';

const MAX_BLOCKS = 1_000;

interface NewBlocks {
  /** It need not exist yet. */
  pool: string;
  /** Such as `10.1.0.0/16`, each without a fault that `findCidrFault` finds. */
  cidrs: readonly string[];
}

/** Adds all blocks as available and returns their ids in the order given; CONFLICT at `cidrs` where one overlaps another. */
export async function addBlocks(em: EntityManager, by: AuditedBy, blocks: NewBlocks): Promise<number[]> {
  const pool = readText(blocks.pool, 'pool', { least: 1 });
  const cidrs = readList(blocks.cidrs, 'cidrs', { least: 1, most: MAX_BLOCKS });
  try {
    return await inTransaction(em, async (transaction) => {
      // One caller at a time adds to a pool. Otherwise two callers with the same blocks in another order wait for each other,
      // and after a few deadlocks each would be refused with an internal error.
      await sql`select pg_advisory_xact_lock(hashtextextended(${`slotkeeper pool ${pool}`}, 0))`.execute(
        transaction.getKysely(),
      );
      const { rows } = await sql<{ id: number; cidr: string }>`
        insert into ip_block (pool, cidr)
        select ${pool}, cidr from unnest(${cidrs}::cidr[]) with ordinality as block (cidr, place) order by place
        returning id, cidr::text as cidr
      `.execute(transaction.getKysely());
      const added = rows.sort((a, b) => a.id - b.id);
      const entries = added.map(({ cidr }) => ({ action: 'addIpBlocks', target: cidr, change: { pool } }));
      await recordAudit(transaction, by, ...entries);
      return added.map(({ id }) => id);
    });
  } catch (error) {
    if (!isOverlap(error)) throw error;
    throw conflict(await describeOverlap(em, pool, cidrs), 'cidrs');
  }
}

function isOverlap(error: unknown): boolean {
  return error instanceof Error && 'constraint' in error && error.constraint === 'ip_block_no_overlap';
}

/** Describes which blocks overlap: a given one and one of the pool, or two given ones. */
async function describeOverlap(em: EntityManager, pool: string, cidrs: readonly string[]): Promise<string> {
  const { rows } = await sql<{ given: string; other: string; stored: boolean }>`
    with given as (select cidr, place from unnest(${cidrs}::cidr[]) with ordinality as block (cidr, place))
    select given.cidr::text as given, ip_block.cidr::text as other, true as stored
    from given join ip_block on ip_block.pool = ${pool} and ip_block.cidr && given.cidr
    union all
    select given.cidr::text, earlier.cidr::text, false
    from given join given as earlier on earlier.place < given.place and earlier.cidr && given.cidr
    limit 1
  `.execute(readRows(em));
  const [clash] = rows;
  if (clash === undefined) return `a block overlapped one of the pool "${pool}" that is gone by now; try again`;
  const where = clash.stored ? `which is in the pool "${pool}"` : 'which was given with it';
  return `${clash.given} overlaps ${clash.other}, ${where}`;
}

interface Assignment {
  id: number;
  /** Who gets the block. */
  assignee: string;
}

/** Gives an available block to an assignee; CONFLICT at `id` for a block in another state. */
export async function assignBlock(em: EntityManager, by: AuditedBy, { id, ...given }: Assignment): Promise<void> {
  const assignee = readText(given.assignee, 'assignee', { least: 1 });
  await moveBlock(em, by, 'assignIpBlock', id, 'AVAILABLE', { state: 'ASSIGNED', assignee });
}

interface Unassignment {
  id: number;
  /** Whether the block goes through the holding tank rather than becoming available at once. */
  holding: boolean;
}

/** Takes a block back from its assignee; CONFLICT at `id` for a block in another state. */
export async function unassignBlock(em: EntityManager, by: AuditedBy, { id, holding }: Unassignment): Promise<void> {
  const state = holding ? 'HOLDING' : 'AVAILABLE';
  await moveBlock(em, by, 'unassignIpBlock', id, 'ASSIGNED', { state, assignee: null });
}

/** Changes the state under a row lock: of two callers one wins, and the other gets a CONFLICT with the new state. */
function moveBlock(
  callersEm: EntityManager,
  by: AuditedBy,
  action: string,
  id: number,
  from: IpBlockState,
  { state, assignee }: { state: IpBlockState; assignee: string | null },
): Promise<void> {
  return inTransaction(callersEm, async (em) => {
    const blocks = readRows(em).selectFrom('ip_block').select(['pool', 'cidr', 'state', 'assignee']);
    const block = await blocks.where('id', '=', id).forUpdate().executeTakeFirst();
    if (block === undefined) throw notFound('the block does not exist', 'id');
    if (block.state !== from) throw conflict(`the block must be ${from}, it is ${block.state}`, 'id');
    await sql`
      update ip_block
      set state = ${state}, assignee = ${assignee}, held_at = case when ${state} = 'HOLDING' then now() end
      where id = ${id}::bigint
    `.execute(em.getKysely());
    const change = { pool: block.pool, state: { from, to: state }, assignee: { from: block.assignee, to: assignee } };
    await recordAudit(em, by, { action, target: block.cidr, change });
  });
}
