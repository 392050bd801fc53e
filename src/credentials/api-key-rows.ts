// API keys as they are read: whose they are and whether they open anything, without their secrets.
import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { type ReadTables, readRows } from '../database/rows.ts';

/** Without the sealed secret, which is never shown again. */
export type ApiKeyRow = Omit<ReadTables['api_key'], 'sealed_secret'>;

export function apiKeyRows(em: EntityManager) {
  return readRows(em)
    .selectFrom('api_key')
    .select(['id', 'key', 'user_id', 'created_at', 'revoked_at', 'last_used_at']);
}

type ApiKeyQuery = ReturnType<typeof apiKeyRows>;

/** Only the keys that no longer work, or only those that do; all if left out. */
export function whereRevoked(query: ApiKeyQuery, revoked: boolean | null | undefined): ApiKeyQuery {
  if (revoked == null) return query;
  return query.where(
    revoked ? sql<boolean>`revoked_at <= now()` : sql<boolean>`(revoked_at is null or revoked_at > now())`,
  );
}
