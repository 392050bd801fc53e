// Secrets that tasks send to receivers: set by admins, opened only by the code that sends them.
import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import type { Vault } from './vault.ts';

export const SECRET_NAME = /^[A-Za-z_][A-Za-z0-9_.-]{0,99}$/;
export const SECRET_NAME_RULE = 'a letter or _, then up to 99 letters, digits, _, . and -';
export const MAX_SECRET_LENGTH = 8_192;
/** Text that a header transports unchanged: printable ASCII without a space at either end. */
export const SECRET_VALUE = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/;

export interface NewSecret {
  name: string;
  value: string;
  /** As `parseSecretHost` reads them. */
  allowedHosts: readonly string[];
}

/** Stores a secret or replaces the one of its name, in one statement, so that of two at once the later one stays. Returns its id. */
export async function storeSecret(em: EntityManager, vault: Vault, secret: NewSecret, userId: number): Promise<number> {
  const { name, value, allowedHosts } = secret;
  const { rows } = await sql<{ id: number }>`
    insert into secret (name, sealed_value, allowed_hosts, updated_by_id)
    values (${name}, ${vault.seal(value, contextOf(name))}, ${allowedHosts}::text[], ${userId})
    on conflict (name) do update set sealed_value = excluded.sealed_value, allowed_hosts = excluded.allowed_hosts,
      updated_by_id = excluded.updated_by_id, updated_at = now()
    returning id
  `.execute(em.getKysely());
  const [row] = rows;
  if (row === undefined) throw new Error('the secret was not stored');
  return row.id;
}

export interface OpenSecret {
  value: string;
  /** As `parseSecretHost` spells them. */
  allowedHosts: readonly string[];
}

/** The stored secrets among these names. Throws if this master key does not open one. */
export async function openSecrets(
  em: EntityManager,
  vault: Vault,
  names: readonly string[],
): Promise<Map<string, OpenSecret>> {
  if (names.length === 0) return new Map();
  const { rows } = await sql<{ name: string; sealed_value: Buffer; allowed_hosts: string[] }>`
    select name, sealed_value, allowed_hosts from secret where name = any(${names}::text[])
  `.execute(em.getKysely());
  return new Map(
    rows.map(({ name, sealed_value, allowed_hosts }) => [
      name,
      { value: open(vault, name, sealed_value), allowedHosts: allowed_hosts },
    ]),
  );
}

function open(vault: Vault, name: string, sealed: Buffer): string {
  try {
    return vault.open(sealed, contextOf(name));
  } catch {
    throw new Error(`The secret ${name} cannot be opened with the MASTER_KEY of this runner.`);
  }
}

function contextOf(name: string): string {
  return `secret:${name}`;
}
