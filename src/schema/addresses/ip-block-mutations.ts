import { addBlocks, assignBlock, unassignBlock } from '../../addresses/blocks.ts';
import { readGlobalId } from '../../lib/global-id.ts';
import { builder } from '../builder.ts';
import { auditedBy } from '../log/audit.ts';
import { IpBlockRef } from '../refs.ts';

const DEFAULT_POOL = 'default';

/** The field of a payload that says which block was changed. */
const blockOf = {
  type: IpBlockRef,
  nullable: true,
  description: 'The current state of the block.',
  resolve: ({ blockId }: { blockId: number }) => blockId,
} as const;

builder.relayMutationField(
  'addIpBlocks',
  {
    description: 'The blocks to add.',
    inputFields: (t) => ({
      pool: t.string({
        required: true,
        defaultValue: DEFAULT_POOL,
        description: 'The pool, `default` by default; created if it does not exist.',
      }),
      cidrs: t.field({ type: ['Cidr'], required: true, description: 'The blocks, 1 to 1000.' }),
    }),
  },
  {
    description: 'Adds blocks to a pool as available: either all, or none and CONFLICT if one overlaps another.',
    authScopes: { operator: true },
    resolve: async (_root, { input }, context) => ({
      blockIds: await addBlocks(context.em, auditedBy(context), input),
    }),
  },
  {
    description: 'The blocks that were added.',
    outputFields: (t) => ({
      ipBlocks: t.field({
        type: [IpBlockRef],
        description: 'The blocks, in the order given.',
        resolve: ({ blockIds }) => blockIds,
      }),
    }),
  },
);

builder.relayMutationField(
  'assignIpBlock',
  {
    description: 'The block to assign, and to whom.',
    inputFields: (t) => ({
      id: t.id({ required: true, description: 'The block.' }),
      assignee: t.string({ required: true, description: 'The new assignee.' }),
    }),
  },
  {
    description: 'Assigns an available block. CONFLICT if the block is in another state.',
    authScopes: { operator: true },
    resolve: async (_root, { input }, context) => {
      const id = readGlobalId('IpBlock', input.id, 'id');
      await assignBlock(context.em, auditedBy(context), { id, assignee: input.assignee });
      return { blockId: id };
    },
  },
  { description: 'The block that was assigned.', outputFields: (t) => ({ ipBlock: t.field(blockOf) }) },
);

builder.relayMutationField(
  'unassignIpBlock',
  {
    description: 'The block to take back.',
    inputFields: (t) => ({
      id: t.id({ required: true, description: 'The block.' }),
      holding: t.boolean({
        required: true,
        defaultValue: true,
        description:
          'Whether the block goes to the holding tank first, instead of becoming available at once; true by default.',
      }),
    }),
  },
  {
    description: 'Takes an assigned block back from its assignee. CONFLICT if the block is in another state.',
    authScopes: { operator: true },
    resolve: async (_root, { input }, context) => {
      const id = readGlobalId('IpBlock', input.id, 'id');
      await unassignBlock(context.em, auditedBy(context), { id, holding: input.holding });
      return { blockId: id };
    },
  },
  { description: 'The block that was taken back.', outputFields: (t) => ({ ipBlock: t.field(blockOf) }) },
);
