import { brandWithType } from '@pothos/core';
import { maySeeRights } from '../../credentials/users.ts';
import { type NodeType, parseGlobalId } from '../../lib/global-id.ts';
import { readList } from '../../lib/input.ts';
import { builder } from '../builder.ts';
import type { Context } from '../context.ts';
import { loadRows, type NodeTable } from '../refs.ts';

const TABLES: Record<NodeType, NodeTable> = {
  Task: 'task',
  RepeatItem: 'repeat_item',
  Run: 'run',
  User: 'app_user',
  IpBlock: 'ip_block',
  DnsZone: 'dns_zone',
  DnsRecord: 'dns_record',
  DnsServer: 'dns_server',
};

interface NodeId {
  type: NodeType;
  id: number;
}

/** In the order of the ids, one query for each type among them. The rows say their type to the interface. */
async function loadNodes(ids: readonly NodeId[], { em, viewer }: Context): Promise<(object | null)[]> {
  const idsByType = Map.groupBy(ids, ({ type }) => type);
  const found = new Map<string, object>();
  for (const [type, wanted] of idsByType) {
    for (const row of await loadRows(
      em,
      TABLES[type],
      wanted.map(({ id }) => id),
    )) {
      if (row === null || (type === 'User' && !maySeeRights(viewer, row.id))) continue;
      if (!found.has(`${type}:${row.id}`)) brandWithType(row, type as never);
      found.set(`${type}:${row.id}`, row);
    }
  }
  return ids.map(({ type, id }) => found.get(`${type}:${id}`) ?? null);
}

builder.queryFields((t) => ({
  node: t.field({
    type: builder.nodeInterfaceRef(),
    nullable: true,
    description: 'An object by its id; null if there is none. A user is visible to admins and to that user.',
    args: { id: t.arg.id({ required: true, description: 'The id of the object.' }) },
    resolve: async (_root, { id }, context) => (await loadNodes([parseGlobalId(id, 'id')], context))[0],
  }),
  nodes: t.field({
    type: [builder.nodeInterfaceRef()],
    nullable: { list: false, items: true },
    description: 'Objects by their ids, in the order of the ids; null for each that `node` does not find.',
    complexity: ({ ids }) => ({ field: 1, multiplier: Math.max(ids.length, 1) }),
    args: { ids: t.arg.idList({ required: true, description: 'The ids of the objects, at most 500.' }) },
    resolve: (_root, { ids }, context) =>
      loadNodes(
        readList(ids, 'ids').map((id, index) => parseGlobalId(id, `ids.${index}`)),
        context,
      ),
  }),
}));
