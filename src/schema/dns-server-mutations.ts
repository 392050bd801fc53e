// Name servers by name. What they are on the machines is not the API's to say: see the setting DNS_SERVERS.
import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { withIdempotencyKey } from '../database/idempotency.ts';
import { badInput, conflict, notFound } from '../lib/faults.ts';
import { readGlobalId, toGlobalId } from '../lib/global-id.ts';
import { readText } from '../lib/input.ts';
import { audit } from './audit.ts';
import { builder } from './builder.ts';
import type { Context } from './context.ts';
import { IDEMPOTENCY_KEY } from './idempotency-key.ts';
import { DnsServerRef } from './refs.ts';

const FIELDS = {
  name: 'Unique among servers; its key in the setting DNS_SERVERS of the runners. 1 to 255 characters.',
  description: 'Anything that helps to know it, 1000 characters at most.',
  enabled: 'false leaves it out of pushes.',
};
const MAX_DESCRIPTION = 1_000;

const serverOf = {
  type: DnsServerRef,
  nullable: true,
  description: 'The server, as it is now.',
  resolve: ({ serverId }: { serverId: number }) => serverId,
} as const;

function readServerName(name: string): string {
  if (name.trim() !== name) throw badInput('input.name', 'it begins or ends with a blank; accepted is a name without');
  return readText(name, 'input.name', { least: 1 });
}

const readDescription = (text: string) => readText(text, 'input.description', { most: MAX_DESCRIPTION });
const taken = (name: string) => conflict(`there is a server ${JSON.stringify(name)} already`, 'input.name');

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
      serverId: await withIdempotencyKey(context, 'addDnsServer', input, async (em) => {
        const name = readServerName(input.name);
        const description = input.description == null ? null : readDescription(input.description);
        const { rows } = await sql<{ id: number }>`
          insert into dns_server (name, description, enabled) values (${name}, ${description}, ${input.enabled})
          on conflict (name) do nothing returning id
        `.execute(em.getKysely());
        const [row] = rows;
        if (row === undefined) throw taken(name);
        await audit(em, context, { action: 'addDnsServer', target: name, change: { enabled: input.enabled } });
        return row.id;
      }),
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
      serverId: await withIdempotencyKey(context, 'updateDnsServer', input, (em) => updateServer(em, context, input)),
    }),
  },
  { description: 'The server after the change.', outputFields: (t) => ({ dnsServer: t.field(serverOf) }) },
);

interface ServerChange {
  id: string;
  name?: string | null | undefined;
  description?: string | null | undefined;
  enabled?: boolean | null | undefined;
}

async function updateServer(
  em: EntityManager,
  context: Context,
  { id: globalId, name, description, enabled }: ServerChange,
) {
  const id = readGlobalId('DnsServer', globalId, 'input.id');
  const newName = name == null ? null : readServerName(name);
  const newDescription = description == null ? null : readDescription(description);
  try {
    const { rows } = await sql<{ name: string }>`
      update dns_server set name = coalesce(${newName}, name), enabled = coalesce(${enabled ?? null}::boolean, enabled),
        description = case when ${description === undefined}::boolean then description else ${newDescription} end
      where id = ${id} returning name
    `.execute(em.getKysely());
    const [server] = rows;
    if (server === undefined) throw notFound('there is no such server', 'input.id');
    await audit(em, context, {
      action: 'updateDnsServer',
      target: server.name,
      change: { name, description, enabled },
    });
    return id;
  } catch (error) {
    const isTaken = error instanceof Error && 'constraint' in error && error.constraint === 'dns_server_name_unique';
    throw isTaken ? taken(newName ?? '') : error;
  }
}

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
      serverId: await withIdempotencyKey(context, 'deleteDnsServer', input, async (em) => {
        const id = readGlobalId('DnsServer', input.id, 'input.id');
        const { rows } = await sql<{ name: string }>`
          delete from dns_server where id = ${id} returning name
        `.execute(em.getKysely());
        const [server] = rows;
        if (server === undefined) throw notFound('there is no such server', 'input.id');
        await audit(em, context, { action: 'deleteDnsServer', target: server.name });
        return id;
      }),
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
