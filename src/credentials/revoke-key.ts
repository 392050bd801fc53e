import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { notFound } from '../lib/faults.ts';
import { readText } from '../lib/input.ts';
import { type ApiKeyRow, apiKeyRows } from './api-key-rows.ts';
import { type AuditedBy, recordAudit } from './audit.ts';
import { checkAdminLeft, lockUsers } from './users.ts';

/**
 * Revokes the key of this public half, in the caller's transaction; done again it changes nothing. NOT_FOUND for no key,
 * CONFLICT for the last one of an admin. Who serves its calls is to be notified after the commit.
 */
export async function revokeApiKey(em: EntityManager, by: AuditedBy, key: string): Promise<ApiKeyRow> {
  readText(key, 'key', { least: 1 });
  await lockUsers(em);
  const { rows } = await sql`
    update api_key set revoked_at = now() where key = ${key} and (revoked_at is null or revoked_at > now()) returning id
  `.execute(em.getKysely());
  if (rows.length > 0) {
    await checkAdminLeft(em, 'key');
    await recordAudit(em, by, { action: 'revokeApiKey', target: key });
  }
  const apiKey = await apiKeyRows(em).where('key', '=', key).executeTakeFirst();
  if (apiKey === undefined) throw notFound(`there is no key ${JSON.stringify(key)}`, 'key');
  return apiKey;
}
