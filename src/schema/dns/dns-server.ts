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
    'A name server that zones are pushed to. Its address and reload command are only in the settings of the runners, under its name.',
  interfaces: [builder.nodeInterfaceRef()],
  fields: (t) => ({
    id: t.id({ description: 'Global id, unique across all types.', resolve: ({ id }) => toGlobalId('DnsServer', id) }),
    name: t.exposeString('name', {
      description: 'The name. Unique among servers; it is the key in the setting DNS_SERVERS.',
    }),
    description: t.exposeString('description', { nullable: true, description: 'Free text about the server.' }),
    enabled: t.exposeBoolean('enabled', { description: 'false if the server is excluded from pushes.' }),
    createdAt: t.expose('created_at', { type: 'DateTime', description: 'When the server was added.' }),
  }),
});

DnsServerZoneRef.implement({
  description: 'The state of a zone on a server, as of the last push.',
  fields: (t) => ({
    server: t.field({ type: DnsServerRef, description: 'The server.', resolve: ({ server_id }) => server_id }),
    zone: t.field({ type: DnsZoneRef, description: 'The zone.', resolve: ({ zone_id }) => zone_id }),
    serial: t.expose('serial', {
      type: 'DnsSerial',
      nullable: true,
      description: 'The serial that the server last returned; null if it has not served the zone.',
    }),
    pushedAt: t.expose('pushed_at', {
      type: 'DateTime',
      nullable: true,
      description: 'When a push last succeeded, that is, the server returned the serial of the zone; null if none has.',
    }),
    error: t.exposeString('error', {
      nullable: true,
      description: 'Why the last push of the zone to the server failed; null if it did not.',
    }),
    failedAt: t.expose('failed_at', {
      type: 'DateTime',
      nullable: true,
      description: 'When the last push failed; null if it did not.',
    }),
  }),
});

const BY_ID: Ordering = { field: 'ID', direction: 'ASC', by: null };

const DnsServerConnection = builder.connectionObject(
  { type: DnsServerRef, name: 'DnsServerConnection', description: 'A page of servers.' },
  { name: 'DnsServerEdge', description: 'A server in a page.' },
);

const DnsServerZoneConnection = builder.connectionObject(
  { type: DnsServerZoneRef, name: 'DnsServerZoneConnection', description: 'A page of the zones of a server.' },
  { name: 'DnsServerZoneEdge', description: 'A zone of a server in a page.' },
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
  description: 'Selects zones of a server.',
  fields: (t) => ({
    failed: t.boolean({ description: 'true for zones whose last push to the server failed, false for the others.' }),
  }),
});

builder.objectField(DnsServerRef, 'zones', (t) =>
  t.loadable({
    type: DnsServerZoneConnection,
    description: 'The zones that were pushed to the server.',
    complexity: connectionComplexity,
    args: {
      ...t.arg.connectionArgs(),
      filter: t.arg({ type: DnsServerZoneFilter, description: 'The filter; all by default.' }),
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
