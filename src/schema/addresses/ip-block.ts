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
  description: 'A block of addresses in a pool. Blocks of one pool do not overlap.',
  interfaces: [builder.nodeInterfaceRef()],
  fields: (t) => ({
    id: t.id({ description: 'Unique among all types.', resolve: ({ id }) => toGlobalId('IpBlock', id) }),
    pool: t.exposeString('pool', { description: 'The pool it belongs to.' }),
    cidr: t.expose('cidr', { type: 'Cidr', description: 'The addresses.' }),
    family: t.exposeInt('family', { description: '4 or 6.' }),
    state: t.expose('state', { type: IpBlockStateEnum, description: 'Where it is.' }),
    assignee: t.exposeString('assignee', { nullable: true, description: 'Who has it, while it is assigned.' }),
    heldAt: t.expose('held_at', {
      type: 'DateTime',
      nullable: true,
      description: 'When it went into the holding tank, while it is there.',
    }),
    createdAt: t.expose('created_at', { type: 'DateTime', description: 'When it was added.' }),
  }),
});

const IpBlockFilter = builder.inputType('IpBlockFilter', {
  description: 'Which blocks: those that meet every condition given.',
  fields: (t) => ({
    pool: t.string({ description: 'Of this pool.' }),
    state: t.field({ type: IpBlockStateEnum, description: 'In this state.' }),
    family: t.int({ description: '4 or 6.' }),
    within: t.field({ type: 'Cidr', description: 'Inside this block, or equal to it.' }),
  }),
});

const BY_ID: Ordering = { field: 'ID', direction: 'ASC', by: null };

const IpBlockConnection = builder.connectionObject(
  { type: IpBlockRef, name: 'IpBlockConnection', description: 'A page of blocks.' },
  { name: 'IpBlockEdge', description: 'A block of a page.' },
);

builder.queryField('ipBlocks', (t) =>
  t.connection(
    {
      type: IpBlockRef,
      description: 'Blocks of addresses, in the order in which they were added.',
      args: { filter: t.arg({ type: IpBlockFilter, description: 'Which ones; every one unless given.' }) },
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
