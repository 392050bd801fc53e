// Stored secrets: their names, hosts and times. No field has the value.

import { type SecretRow, secretRows } from '../../credentials/secret-rows.ts';
import { builder } from '../builder.ts';
import { UserRef } from '../refs.ts';
import { readPage } from '../relay/connection.ts';
import { keysetConnection, keysetPage, type Ordering } from '../relay/keyset.ts';

export const SecretRef = builder.objectRef<SecretRow>('Secret').implement({
  description: 'A value that tasks refer to by name and send to a receiver. It cannot be read back.',
  authScopes: { admin: true },
  fields: (t) => ({
    name: t.exposeString('name', { description: 'The name by which tasks refer to it.' }),
    allowedHosts: t.stringList({
      description:
        'The hosts that may receive it: a plain host name means https, `*.example.org` every name below example.org; `http://host:port` allows plain http.',
      resolve: ({ allowed_hosts }) => allowed_hosts,
    }),
    createdAt: t.expose('created_at', {
      type: 'DateTime',
      description: 'When a secret of this name was first stored.',
    }),
    updatedAt: t.expose('updated_at', { type: 'DateTime', description: 'When the value was last set.' }),
    updatedBy: t.field({
      type: UserRef,
      description: 'The user who last set the value.',
      resolve: ({ updated_by_id }) => updated_by_id,
    }),
  }),
});

const BY_NAME: Ordering = { field: 'NAME', direction: 'ASC', by: { column: 'name', type: 'text', nullable: false } };

const SecretConnection = builder.connectionObject(
  { type: SecretRef, name: 'SecretConnection', description: 'A page of secrets.' },
  { name: 'SecretEdge', description: 'A secret in a page.' },
);

builder.queryField('secrets', (t) =>
  t.connection(
    {
      type: SecretRef,
      authScopes: { admin: true },
      description: 'The stored secrets, by name. Admins only. Values are never returned.',
      resolve: async (_root, args, { em }) => {
        const page = readPage(args);
        const rows = await keysetPage(secretRows(em), 'secret', BY_NAME, page).execute();
        return keysetConnection(rows, BY_NAME, page);
      },
    },
    SecretConnection,
  ),
);
