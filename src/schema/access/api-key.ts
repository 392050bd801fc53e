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
  description: 'The public half of a key and secret pair with which a user proves who they are.',
  fields: (t) => ({
    key: t.exposeString('key', { description: 'Sent with every call; unique.' }),
    user: t.field({ type: UserRef, description: 'Whose it is.', resolve: ({ user_id }) => user_id }),
    createdAt: t.expose('created_at', { type: 'DateTime', description: 'Since when it is stored.' }),
    revokedAt: t.expose('revoked_at', {
      type: 'DateTime',
      nullable: true,
      description:
        'From when on it opens nothing: in the past for one that was revoked, ahead for one that is being replaced; null for others.',
    }),
    lastUsedAt: t.expose('last_used_at', {
      type: 'DateTime',
      nullable: true,
      description: 'When somebody last came in with it, to the minute or so; null where nobody has.',
    }),
  }),
});

const NEWEST_FIRST: Ordering = { field: 'ID', direction: 'DESC', by: null };

const ApiKeyConnection = builder.connectionObject(
  { type: ApiKeyRef, name: 'ApiKeyConnection', description: 'A page of API keys.' },
  { name: 'ApiKeyEdge', description: 'An API key of a page.' },
);

const ApiKeyFilter = builder.inputType('ApiKeyFilter', {
  description: 'Which API keys: those that meet every condition given.',
  fields: (t) => ({
    user: t.id({ description: 'Of this user.' }),
    revoked: t.boolean({ description: 'Whether they open nothing any more.' }),
  }),
});

builder.queryField('apiKeys', (t) =>
  t.connection(
    {
      type: ApiKeyRef,
      authScopes: { admin: true },
      description: 'The API keys of all users, the newest first; for admins. Their secrets are shown to nobody.',
      args: { filter: t.arg({ type: ApiKeyFilter, description: 'Which ones; every one unless given.' }) },
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
    description: 'Their API keys, the newest first; for admins.',
    complexity: connectionComplexity,
    args: {
      ...t.arg.connectionArgs(),
      revoked: t.arg.boolean({ description: 'Only those that were, or were not, revoked; every one unless given.' }),
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
