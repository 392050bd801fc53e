// API keys: whose they are and whether they open anything. No field has a secret.
import { sql } from 'kysely';
import { type ApiKeyRow, apiKeyRows, whereRevoked } from '../../credentials/api-key-rows.ts';
import { readGlobalId } from '../../lib/global-id.ts';
import { builder } from '../builder.ts';
import { connectionComplexity } from '../complexity.ts';
import type { Context } from '../context.ts';
import { UserRef } from '../refs.ts';
import { type Page, readPage } from '../relay/connection.ts';
import { keysetConnection, keysetPage, type Ordering } from '../relay/keyset.ts';
import { pagesOfParents } from '../relay/lateral.ts';

export const ApiKeyRef = builder.objectRef<ApiKeyRow>('ApiKey').implement({
  description: "A user's API credentials: the public key of a key and secret pair.",
  fields: (t) => ({
    key: t.exposeString('key', { description: 'The public key, sent with every call. Unique.' }),
    user: t.field({
      type: UserRef,
      description: 'The user whom the key authenticates.',
      resolve: ({ user_id }) => user_id,
    }),
    createdAt: t.expose('created_at', { type: 'DateTime', description: 'When the key was stored.' }),
    revokedAt: t.expose('revoked_at', {
      type: 'DateTime',
      nullable: true,
      description:
        'When the key stops working: in the past if it was revoked, in the future if it is being replaced; otherwise null.',
    }),
    lastUsedAt: t.expose('last_used_at', {
      type: 'DateTime',
      nullable: true,
      description: 'When the key was last used, to about a minute; null if never.',
    }),
  }),
});

const NEWEST_FIRST: Ordering = { field: 'ID', direction: 'DESC', by: null };

const ApiKeyConnection = builder.connectionObject(
  { type: ApiKeyRef, name: 'ApiKeyConnection', description: 'A page of API keys.' },
  { name: 'ApiKeyEdge', description: 'An API key in a page.' },
);

const ApiKeyFilter = builder.inputType('ApiKeyFilter', {
  description: 'Selects the API keys that match every given condition.',
  fields: (t) => ({
    user: t.id({ description: 'Keys of this user.' }),
    revoked: t.boolean({ description: 'true for keys that no longer work, false for those that do.' }),
  }),
});

builder.queryField('apiKeys', (t) =>
  t.connection(
    {
      type: ApiKeyRef,
      authScopes: { admin: true },
      description: 'The API keys of all users, newest first. Admins only. Secrets are never returned.',
      args: { filter: t.arg({ type: ApiKeyFilter, description: 'The filter; all by default.' }) },
      resolve: async (_root, { filter, ...args }, { em }) => {
        const page = readPage(args);
        let query = whereRevoked(apiKeyRows(em), filter?.revoked);
        if (filter?.user != null) {
          query = query.where('user_id', '=', readGlobalId('User', filter.user, 'filter.user'));
        }
        return keysetConnection(await keysetPage(query, 'api_key', NEWEST_FIRST, page).execute(), NEWEST_FIRST, page);
      },
    },
    ApiKeyConnection,
  ),
);

builder.objectField(UserRef, 'apiKeys', (t) =>
  t.loadable({
    type: ApiKeyConnection,
    authScopes: { admin: true },
    description: 'The API keys of the user, newest first. Admins only.',
    complexity: connectionComplexity,
    args: {
      ...t.arg.connectionArgs(),
      revoked: t.arg.boolean({ description: 'true for revoked keys only, false for the others only; all by default.' }),
    },
    byPath: true,
    load: (ids: number[], { em }, { revoked, ...args }) => keysOfEach(em, ids, readPage(args), revoked),
    loaderOptions: { cache: false },
    resolve: ({ id }) => id,
  }),
);

/** A page for each of the users; one query for all. */
async function keysOfEach(
  em: Context['em'],
  userIds: readonly number[],
  page: Page,
  revoked: boolean | null | undefined,
) {
  const pages = await pagesOfParents(
    em,
    userIds,
    (id) =>
      keysetPage(
        whereRevoked(apiKeyRows(em), revoked).where(sql<boolean>`user_id = ${id}`),
        'api_key',
        NEWEST_FIRST,
        page,
      ),
    { parent: 'user_id', order: 'id', ascending: page.backward },
  );
  return pages.map((rows) => keysetConnection(rows, NEWEST_FIRST, page));
}
