// Blocks of addresses come into a pool, go to an assignee and come back through the holding tank.
import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { readRows } from '../database/rows.ts';
import { inTransaction } from '../database/transaction.ts';
import type { IpBlockState } from '../entities/ip-block.ts';
import { conflict, notFound } from '../lib/faults.ts';
import { readGlobalId } from '../lib/global-id.ts';
import { readList, readText } from '../lib/input.ts';
import { audit } from './audit.ts';
import { builder } from './builder.ts';
import type { Context } from './context.ts';
import { IpBlockRef } from './refs.ts';

const MAX_BLOCKS = 1_000;
const DEFAULT_POOL = 'default';

/** The field of a payload that says which block was changed. */
const blockOf = {
  type: IpBlockRef,
  nullable: true,
  description: 'The block, as it is now.',
  resolve: ({ blockId }: { blockId: number }) => blockId,
} as const;

builder.relayMutationField(
  'addIpBlocks',
  {
    description: 'Blocks to add.',
    inputFields: (t) => ({
      pool: t.string({ required: true, defaultValue: DEFAULT_POOL, description: 'The pool; it need not exist yet.' }),
      cidrs: t.field({ type: ['Cidr'], required: true, description: 'The blocks, 1 to 1000.' }),
    }),
  },
  {
    description: 'Adds blocks to a pool as available: all of them, or CONFLICT where one overlaps another.',
    authScopes: { operator: true },
    resolve: async (_root, { input }, context) => {
      const pool = readText(input.pool, 'input.pool', { least: 1 });
      const cidrs = readList(input.cidrs, 'input.cidrs', { least: 1, most: MAX_BLOCKS });
      return { blockIds: await addBlocks(context, pool, cidrs) };
    },
  },
  {
    description: 'What was added.',
    outputFields: (t) => ({
      ipBlocks: t.field({
        type: [IpBlockRef],
        description: 'The blocks, in the order given.',
        resolve: ({ blockIds }) => blockIds,
      }),
    }),
  },
);

/** The ids, in the order of the blocks. */
async function addBlocks(context: Context, pool: string, cidrs: readonly string[]): Promise<number[]> {
  const { em } = context;
  try {
    // In a transaction for its second try: two callers may each wait for a block of the other.
    return await inTransaction(em, async (transaction) => {
      const { rows } = await sql<{ id: number; cidr: string }>`
        insert into ip_block (pool, cidr)
        select ${pool}, cidr from unnest(${cidrs}::cidr[]) with ordinality as block (cidr, place) order by place
        returning id, cidr::text as cidr
      `.execute(transaction.getKysely());
      const added = rows.sort((a, b) => a.id - b.id);
      const entries = added.map(({ cidr }) => ({ action: 'addIpBlocks', target: cidr, change: { pool } }));
      await audit(transaction, context, ...entries);
      return added.map(({ id }) => id);
    });
  } catch (error) {
    if (!isOverlap(error)) throw error;
    throw conflict(await describeOverlap(em, pool, cidrs), 'input.cidrs');
  }
}

function isOverlap(error: unknown): boolean {
  return error instanceof Error && 'constraint' in error && error.constraint === 'ip_block_no_overlap';
}

/** Which block clashes with which: one of the pool, or another that was given. */
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

builder.relayMutationField(
  'assignIpBlock',
  {
    description: 'Which block goes to whom.',
    inputFields: (t) => ({
      id: t.id({ required: true, description: 'The block.' }),
      assignee: t.string({ required: true, description: 'Who gets it.' }),
    }),
  },
  {
    description: 'Gives an available block to an assignee; CONFLICT for a block in another state.',
    authScopes: { operator: true },
    resolve: async (_root, { input }, context) => {
      const id = readGlobalId('IpBlock', input.id, 'input.id');
      const assignee = readText(input.assignee, 'input.assignee', { least: 1 });
      await moveBlock(context, 'assignIpBlock', id, 'AVAILABLE', { state: 'ASSIGNED', assignee });
      return { blockId: id };
    },
  },
  { description: 'The block that was assigned.', outputFields: (t) => ({ ipBlock: t.field(blockOf) }) },
);

builder.relayMutationField(
  'unassignIpBlock',
  {
    description: 'Which block comes back.',
    inputFields: (t) => ({
      id: t.id({ required: true, description: 'The block.' }),
      holding: t.boolean({
        required: true,
        defaultValue: true,
        description: 'Whether it goes through the holding tank rather than becoming available at once.',
      }),
    }),
  },
  {
    description: 'Takes a block back from its assignee; CONFLICT for a block in another state.',
    authScopes: { operator: true },
    resolve: async (_root, { input }, context) => {
      const id = readGlobalId('IpBlock', input.id, 'input.id');
      const state = input.holding ? 'HOLDING' : 'AVAILABLE';
      await moveBlock(context, 'unassignIpBlock', id, 'ASSIGNED', { state, assignee: null });
      return { blockId: id };
    },
  },
  { description: 'The block that came back.', outputFields: (t) => ({ ipBlock: t.field(blockOf) }) },
);

/** Under a lock of its row, so that of two callers one wins and the other is told the state that it left. */
function moveBlock(
  context: Context,
  action: string,
  id: number,
  from: IpBlockState,
  { state, assignee }: { state: IpBlockState; assignee: string | null },
): Promise<void> {
  return inTransaction(context.em, async (em) => {
    const blocks = readRows(em).selectFrom('ip_block').select(['pool', 'cidr', 'state', 'assignee']);
    const block = await blocks.where('id', '=', id).forUpdate().executeTakeFirst();
    if (block === undefined) throw notFound('there is no such block', 'input.id');
    if (block.state !== from) {
      throw conflict(`the block is ${block.state}; accepted is one that is ${from}`, 'input.id');
    }
    await sql`
      update ip_block
      set state = ${state}, assignee = ${assignee}, held_at = case when ${state} = 'HOLDING' then now() end
      where id = ${id}::bigint
    `.execute(em.getKysely());
    const change = { pool: block.pool, state: { from, to: state }, assignee: { from: block.assignee, to: assignee } };
    await audit(em, context, { action, target: block.cidr, change });
  });
}
