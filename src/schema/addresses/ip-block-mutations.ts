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
    resolve: async (_root, { input }, context) => ({
      blockIds: await addBlocks(context.em, auditedBy(context), input),
    }),
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
      const id = readGlobalId('IpBlock', input.id, 'id');
      await unassignBlock(context.em, auditedBy(context), { id, holding: input.holding });
      return { blockId: id };
    },
  },
  { description: 'The block that came back.', outputFields: (t) => ({ ipBlock: t.field(blockOf) }) },
);
