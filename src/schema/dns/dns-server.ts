import { sql } from 'kysely';
import { readRows } from '../../database/rows.ts';
import { toGlobalId } from '../../lib/global-id.ts';
import { builder } from '../builder.ts';
import { connectionComplexity } from '../complexity.ts';
import { DnsServerRef, DnsServerZoneRef, DnsZoneRef } from '../refs.ts';
import { readPage } from '../relay/connection.ts';
import { keysetConnection, keysetPage, type Ordering } from '../relay/keyset.ts';
import { pagesOfParents } from '../relay/lateral.ts';

DnsServerRef.implement({
  description:
    'A name server that zones are pushed to. Where it is and how it is told to load is in the settings of the runners alone, under its name.',
  interfaces: [builder.nodeInterfaceRef()],
  fields: (t) => ({
    id: t.id({ description: 'Unique among all types.', resolve: ({ id }) => toGlobalId('DnsServer', id) }),
    name: t.exposeString('name', { description: 'Unique among servers; its key in the setting DNS_SERVERS.' }),
    description: t.exposeString('description', { nullable: true, description: 'Anything that helps to know it.' }),
    enabled: t.exposeBoolean('enabled', { description: 'false leaves it out of pushes.' }),
    createdAt: t.expose('created_at', { type: 'DateTime', description: 'When it was added.' }),
  }),
});

DnsServerZoneRef.implement({
  description: 'How far a server is with a zone, as the last push found it.',
  fields: (t) => ({
    server: t.field({ type: DnsServerRef, description: 'The server.', resolve: ({ server_id }) => server_id }),
    zone: t.field({ type: DnsZoneRef, description: 'The zone.', resolve: ({ zone_id }) => zone_id }),
    serial: t.expose('serial', {
      type: 'DnsSerial',
      nullable: true,
      description: 'The serial that the server answered last; null where it has not served the zone.',
    }),
    pushedAt: t.expose('pushed_at', {
      type: 'DateTime',
      nullable: true,
      description: 'When a push last succeeded: the server answered with the serial of the zone.',
    }),
    error: t.exposeString('error', {
      nullable: true,
      description: 'Why the last push of the zone to the server failed; null where it did not.',
    }),
    failedAt: t.expose('failed_at', { type: 'DateTime', nullable: true, description: 'When it failed.' }),
  }),
});

const BY_ID: Ordering = { field: 'ID', direction: 'ASC', by: null };

const DnsServerConnection = builder.connectionObject(
  { type: DnsServerRef, name: 'DnsServerConnection', description: 'A page of servers.' },
  { name: 'DnsServerEdge', description: 'A server of a page.' },
);

const DnsServerZoneConnection = builder.connectionObject(
  { type: DnsServerZoneRef, name: 'DnsServerZoneConnection', description: 'A page of the zones of a server.' },
  { name: 'DnsServerZoneEdge', description: 'A zone of a server.' },
);

builder.queryField('dnsServers', (t) =>
  t.connection(
    {
      type: DnsServerRef,
      description: 'Name servers, in the order in which they were added.',
      resolve: async (_root, args, { em }) => {
        const page = readPage(args);
        const query = readRows(em).selectFrom('dns_server').selectAll();
        return keysetConnection(await keysetPage(query, 'dns_server', BY_ID, page).execute(), BY_ID, page);
      },
    },
    DnsServerConnection,
  ),
);

const DnsServerZoneFilter = builder.inputType('DnsServerZoneFilter', {
  description: 'Which zones of a server.',
  fields: (t) => ({
    failed: t.boolean({ description: 'true for those whose last push to it failed, false for the others.' }),
  }),
});

builder.objectField(DnsServerRef, 'zones', (t) =>
  t.loadable({
    type: DnsServerZoneConnection,
    description: 'The zones that were pushed to it.',
    complexity: connectionComplexity,
    args: {
      ...t.arg.connectionArgs(),
      filter: t.arg({ type: DnsServerZoneFilter, description: 'Which ones; every one unless given.' }),
    },
    byPath: true,
    load: async (serverIds: number[], { em }, { filter, ...args }) => {
      const page = readPage(args);
      let zones = readRows(em).selectFrom('dns_server_zone').selectAll();
      if (filter?.failed != null) zones = zones.where('error', filter.failed ? 'is not' : 'is', null);
      const pages = await pagesOfParents(
        em,
        serverIds,
        (serverId) =>
          keysetPage(
            zones.where(sql<boolean>`dns_server_zone.server_id = ${serverId}`),
            'dns_server_zone',
            BY_ID,
            page,
          ),
        { parent: 'server_id', order: 'id', ascending: !page.backward },
      );
      return pages.map((rows) => keysetConnection(rows, BY_ID, page));
    },
    loaderOptions: { cache: false },
    resolve: ({ id }) => id,
  }),
);
