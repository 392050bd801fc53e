// Name servers by name. What they are on the machines is not the API's to say: see the setting DNS_SERVERS.
import { withIdempotencyKey } from '../../database/idempotency.ts';
import { addServer, deleteServer, updateServer } from '../../dns/servers.ts';
import { readGlobalId, toGlobalId } from '../../lib/global-id.ts';
import { builder } from '../builder.ts';
import { IDEMPOTENCY_KEY } from '../idempotency-key.ts';
import { auditedBy } from '../log/audit.ts';
import { DnsServerRef } from '../refs.ts';

const FIELDS = {
  name: 'Unique among servers; its key in the setting DNS_SERVERS of the runners. 1 to 255 characters.',
  description: 'Anything that helps to know it, 1000 characters at most.',
  enabled: 'false leaves it out of pushes.',
};

const serverOf = {
  type: DnsServerRef,
  nullable: true,
  description: 'The server, as it is now.',
  resolve: ({ serverId }: { serverId: number }) => serverId,
} as const;

builder.relayMutationField(
  'addDnsServer',
  {
    description: 'A new server.',
    inputFields: (t) => ({
      name: t.string({ required: true, description: FIELDS.name }),
      description: t.string({ description: FIELDS.description }),
      enabled: t.boolean({ required: true, defaultValue: true, description: FIELDS.enabled }),
      idempotencyKey: t.string(IDEMPOTENCY_KEY),
    }),
  },
  {
    description: 'Adds a server, which gets every zone with the next push.',
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
    description: 'Changes of a server. A field left out stays as it is.',
    inputFields: (t) => ({
      id: t.id({ required: true, description: 'The server.' }),
      name: t.string({ description: FIELDS.name }),
      description: t.string({ description: `${FIELDS.description} null for none.` }),
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
    description: 'Which server to delete.',
    inputFields: (t) => ({
      id: t.id({ required: true, description: 'The server.' }),
      idempotencyKey: t.string(IDEMPOTENCY_KEY),
    }),
  },
  {
    description: 'Deletes a server. Pushes leave it alone from then on; its files stay as they are.',
    authScopes: { admin: true },
    resolve: async (_root, { input }, context) => ({
      serverId: await withIdempotencyKey(context, 'deleteDnsServer', input, (em) =>
        deleteServer(em, auditedBy(context), { id: readGlobalId('DnsServer', input.id, 'id') }),
      ),
    }),
  },
  {
    description: 'What was deleted.',
    outputFields: (t) => ({
      deletedId: t.id({
        description: 'The id that the server had.',
        resolve: ({ serverId }) => toGlobalId('DnsServer', serverId),
      }),
    }),
  },
);
