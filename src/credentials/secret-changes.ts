// What admins do to stored secrets: set them, with the hosts that they may go to, and delete them.
import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { badInput, notFound } from '../lib/faults.ts';
import { readList } from '../lib/input.ts';
import { type AuditedBy, type AuditedUser, recordAudit } from './audit.ts';
import { parseSecretHost, SECRET_HOST_RULE } from './secret-hosts.ts';
import {
  MAX_SECRET_LENGTH,
  type NewSecret,
  SECRET_NAME,
  SECRET_NAME_RULE,
  SECRET_VALUE,
  storeSecret,
} from './secrets.ts';
import type { Vault } from './vault.ts';

export const MAX_SECRET_HOSTS = 100;
const SHOWN = 80;

export function readSecretName(name: string): string {
  if (SECRET_NAME.test(name)) return name;
  throw badInput('name', `must be ${SECRET_NAME_RULE}, got ${JSON.stringify(name.slice(0, SHOWN))}`);
}

/** The secret, normalised for storage, each host once. BAD_USER_INPUT if it cannot be stored. */
export function readSecret({ name, value, allowedHosts }: NewSecret): NewSecret {
  return { name: readSecretName(name), value: readValue(value), allowedHosts: readHosts(allowedHosts) };
}

/** The message says nothing of the value but its length. */
function readValue(value: string): string {
  if (value.length >= 1 && value.length <= MAX_SECRET_LENGTH && SECRET_VALUE.test(value)) return value;
  throw badInput(
    'value',
    `must be 1 to ${MAX_SECRET_LENGTH} printable ASCII characters without a space at either end, got ${value.length} characters`,
  );
}

function readHosts(hosts: readonly string[]): string[] {
  const entries = readList(hosts, 'allowedHosts', { least: 1, most: MAX_SECRET_HOSTS }).map((host, index) => {
    const entry = parseSecretHost(host);
    if (entry !== null) return entry;
    const shown = JSON.stringify(host.slice(0, SHOWN));
    throw badInput(['allowedHosts', index], `must be ${SECRET_HOST_RULE}, got ${shown}`);
  });
  return [...new Set(entries)];
}

/** Stores the result of `readSecret`, in place of a secret of the same name, and returns its id. */
export async function setSecret(em: EntityManager, vault: Vault, by: AuditedUser, secret: NewSecret): Promise<number> {
  const { name, allowedHosts } = secret;
  await recordAudit(em, by, { action: 'setSecret', target: name, change: { allowedHosts } });
  return storeSecret(em, vault, secret, by.actorId);
}

/** Deletes the secret of that name and returns its former id; NOT_FOUND if it does not exist. */
export async function deleteSecret(em: EntityManager, by: AuditedBy, name: string): Promise<number> {
  const { rows } = await sql<{ id: number }>`
    delete from secret where name = ${name} returning id
  `.execute(em.getKysely());
  const [deleted] = rows;
  if (deleted === undefined) throw notFound(`there is no secret ${JSON.stringify(name)}`, 'name');
  await recordAudit(em, by, { action: 'deleteSecret', target: name });
  return deleted.id;
}
