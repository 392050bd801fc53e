// Name servers by name are added, changed and deleted. What they are on the machines is not for users to say: see the
// setting DNS_SERVERS.
import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { type AuditedBy, recordAudit } from '../credentials/audit.ts';
import { badInput, conflict, type Fault, notFound } from '../lib/faults.ts';
import { readText } from '../lib/input.ts';

const MAX_DESCRIPTION = 1_000;

interface NewServer {
  name: string;
  description?: string | null | undefined;
  enabled: boolean;
}

/** Fields left out stay as they are; null is for no description. */
interface ServerChange {
  id: number;
  name?: string | null | undefined;
  description?: string | null | undefined;
  enabled?: boolean | null | undefined;
}

/** Returns the server's id. CONFLICT at `name` where there is one of that name. */
export async function addServer(em: EntityManager, by: AuditedBy, server: NewServer): Promise<number> {
  const { enabled } = server;
  const name = readServerName(server.name);
  const description = server.description == null ? null : readDescription(server.description);
  const { rows } = await sql<{ id: number }>`
    insert into dns_server (name, description, enabled) values (${name}, ${description}, ${enabled})
    on conflict (name) do nothing returning id
  `.execute(em.getKysely());
  const [row] = rows;
  if (row === undefined) throw taken(name);
  await recordAudit(em, by, { action: 'addDnsServer', target: name, change: { enabled } });
  return row.id;
}

/** Returns the server's id. */
export async function updateServer(em: EntityManager, by: AuditedBy, change: ServerChange): Promise<number> {
  const { id, name, description, enabled } = change;
  const newName = name == null ? null : readServerName(name);
  const newDescription = description == null ? null : readDescription(description);
  try {
    const { rows } = await sql<{ name: string }>`
      update dns_server set name = coalesce(${newName}, name), enabled = coalesce(${enabled ?? null}::boolean, enabled),
        description = case when ${description === undefined}::boolean then description else ${newDescription} end
      where id = ${id} returning name
    `.execute(em.getKysely());
    const [server] = rows;
    if (server === undefined) throw missing();
    await recordAudit(em, by, {
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

/** Returns the id that the server had. Its files stay as they are. */
export async function deleteServer(em: EntityManager, by: AuditedBy, { id }: { id: number }): Promise<number> {
  const { rows } = await sql<{ name: string }>`
    delete from dns_server where id = ${id} returning name
  `.execute(em.getKysely());
  const [server] = rows;
  if (server === undefined) throw missing();
  await recordAudit(em, by, { action: 'deleteDnsServer', target: server.name });
  return id;
}

function readServerName(name: string): string {
  if (name.trim() !== name) throw badInput('name', 'must not begin or end with a space');
  return readText(name, 'name', { least: 1 });
}

function readDescription(text: string): string {
  return readText(text, 'description', { most: MAX_DESCRIPTION });
}

function taken(name: string): Fault {
  return conflict(`server ${JSON.stringify(name)} already exists`, 'name');
}

function missing(): Fault {
  return notFound('the server does not exist', 'id');
}
