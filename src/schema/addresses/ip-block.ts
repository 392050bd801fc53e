import { sql } from 'kysely';
import { readRows } from '../../database/rows.ts';
import { toGlobalId } from '../../lib/global-id.ts';
import { readText } from '../../lib/input.ts';
import { builder } from '../builder.ts';
import { IpBlockStateEnum } from '../enums.ts';
import { IpBlockRef } from '../refs.ts';
import { readPage } from '../relay/connection.ts';
import { keysetConnection, keysetPage, type Ordering } from '../relay/keyset.ts';

IpBlockRef.implement({
  description: 'A block of addresses in a pool. Blocks of the same pool do not overlap.',
  interfaces: [builder.nodeInterfaceRef()],
  fields: (t) => ({
    id: t.id({ description: 'Global id, unique across all types.', resolve: ({ id }) => toGlobalId('IpBlock', id) }),
    pool: t.exposeString('pool', { description: 'The pool of the block.' }),
    cidr: t.expose('cidr', { type: 'Cidr', description: 'The addresses of the block.' }),
    family: t.exposeInt('family', { description: 'IP version: 4 or 6.' }),
    state: t.expose('state', { type: IpBlockStateEnum, description: 'The state of the block.' }),
    assignee: t.exposeString('assignee', {
      nullable: true,
      description: 'The assignee; null if the block is not assigned.',
    }),
    heldAt: t.expose('held_at', {
      type: 'DateTime',
      nullable: true,
      description: 'When the block entered the holding tank; null if it is not there.',
    }),
    createdAt: t.expose('created_at', { type: 'DateTime', description: 'When the block was added.' }),
  }),
});

const IpBlockFilter = builder.inputType('IpBlockFilter', {
  description: 'Selects the blocks that match every given condition.',
  fields: (t) => ({
    pool: t.string({ description: 'Blocks of this pool.' }),
    state: t.field({ type: IpBlockStateEnum, description: 'Blocks in this state.' }),
    family: t.int({ description: 'IP version: 4 or 6.' }),
    within: t.field({ type: 'Cidr', description: 'Blocks inside this one, or equal to it.' }),
  }),
});

const BY_ID: Ordering = { field: 'ID', direction: 'ASC', by: null };

const IpBlockConnection = builder.connectionObject(
  { type: IpBlockRef, name: 'IpBlockConnection', description: 'A page of blocks.' },
  { name: 'IpBlockEdge', description: 'A block in a page.' },
);

builder.queryField('ipBlocks', (t) =>
  t.connection(
    {
      type: IpBlockRef,
      description: 'Address blocks, in the order in which they were added.',
      args: { filter: t.arg({ type: IpBlockFilter, description: 'The filter; all by default.' }) },
      resolve: async (_root, { filter, ...args }, { em }) => {
        const page = readPage(args);
        let query = readRows(em).selectFrom('ip_block').selectAll();
        if (filter?.pool != null) query = query.where('pool', '=', readText(filter.pool, 'filter.pool'));
        if (filter?.state != null) query = query.where('state', '=', filter.state);
        if (filter?.family != null) query = query.where(sql<boolean>`family = ${filter.family}::int`);
        if (filter?.within != null) query = query.where(sql<boolean>`cidr <<= ${filter.within}::cidr`);
        return keysetConnection(await keysetPage(query, 'ip_block', BY_ID, page).execute(), BY_ID, page);
      },
    },
    IpBlockConnection,
  ),
);
