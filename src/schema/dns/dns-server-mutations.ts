// Name servers by name. Their addresses and commands are not in the API: see the setting DNS_SERVERS.
import { withIdempotencyKey } from '../../database/idempotency.ts';
import { addServer, deleteServer, updateServer } from '../../dns/servers.ts';
import { readGlobalId, toGlobalId } from '../../lib/global-id.ts';
import { builder } from '../builder.ts';
import { IDEMPOTENCY_KEY } from '../idempotency-key.ts';
import { auditedBy } from '../log/audit.ts';
import { DnsServerRef } from '../refs.ts';

const FIELDS = {
  name: 'The name, 1 to 255 characters. Unique among servers; it is the key in the setting DNS_SERVERS of the runners.',
  description: 'Free text about the server, at most 1000 characters.',
  enabled: 'false excludes the server from pushes.',
};

const serverOf = {
  type: DnsServerRef,
  nullable: true,
  description: 'The current state of the server.',
  resolve: ({ serverId }: { serverId: number }) => serverId,
} as const;

builder.relayMutationField(
  'addDnsServer',
  {
    description: 'The server to add.',
    inputFields: (t) => ({
      name: t.string({ required: true, description: FIELDS.name }),
      description: t.string({ description: FIELDS.description }),
      enabled: t.boolean({ required: true, defaultValue: true, description: FIELDS.enabled }),
      idempotencyKey: t.string(IDEMPOTENCY_KEY),
    }),
  },
  {
    description: 'Adds a server. It gets every zone with the next push.',
    authScopes: { admin: true },
    resolve: async (_root, { input }, context) => ({
      serverId: await withIdempotencyKey(context, 'addDnsServer', input, (em) =>
        addServer(em, auditedBy(context), input),
      ),
    }),
  },
  { description: 'The server that was added.', outputFields: (t) => ({ dnsServer: t.field(serverOf) }) },
);

builder.relayMutationField(
  'updateDnsServer',
  {
    description: 'Changes to a server. A field left out keeps its value.',
    inputFields: (t) => ({
      id: t.id({ required: true, description: 'The server.' }),
      name: t.string({ description: FIELDS.name }),
      description: t.string({ description: `${FIELDS.description} null removes it.` }),
      enabled: t.boolean({ description: FIELDS.enabled }),
      idempotencyKey: t.string(IDEMPOTENCY_KEY),
    }),
  },
  {
    description: 'Changes a server.',
    authScopes: { admin: true },
    resolve: async (_root, { input }, context) => ({
      serverId: await withIdempotencyKey(context, 'updateDnsServer', input, (em) =>
        updateServer(em, auditedBy(context), { ...input, id: readGlobalId('DnsServer', input.id, 'id') }),
      ),
    }),
  },
  { description: 'The server after the change.', outputFields: (t) => ({ dnsServer: t.field(serverOf) }) },
);

builder.relayMutationField(
  'deleteDnsServer',
  {
    description: 'The server to delete.',
    inputFields: (t) => ({
      id: t.id({ required: true, description: 'The server.' }),
      idempotencyKey: t.string(IDEMPOTENCY_KEY),
    }),
  },
  {
    description: 'Deletes a server. Pushes skip it from then on; the files on it stay as they are.',
    authScopes: { admin: true },
    resolve: async (_root, { input }, context) => ({
      serverId: await withIdempotencyKey(context, 'deleteDnsServer', input, (em) =>
        deleteServer(em, auditedBy(context), { id: readGlobalId('DnsServer', input.id, 'id') }),
      ),
    }),
  },
  {
    description: 'The server that was deleted.',
    outputFields: (t) => ({
      deletedId: t.id({
        description: 'The id of the deleted server.',
        resolve: ({ serverId }) => toGlobalId('DnsServer', serverId),
      }),
    }),
  },
);
