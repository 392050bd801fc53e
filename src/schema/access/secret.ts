// Stored secrets: their names, hosts and times. No field has the value.

import { type SecretRow, secretRows } from '../../credentials/secret-rows.ts';
import { builder } from '../builder.ts';
import { UserRef } from '../refs.ts';
import { readPage } from '../relay/connection.ts';
import { keysetConnection, keysetPage, type Ordering } from '../relay/keyset.ts';

export const SecretRef = builder.objectRef<SecretRow>('Secret').implement({
  description: 'A value that tasks send to a receiver by its name. Nobody reads it back.',
  authScopes: { admin: true },
  fields: (t) => ({
    name: t.exposeString('name', { description: 'What tasks refer to it by.' }),
    allowedHosts: t.stringList({
      description:
        'Where it is sent: by https to a host, of which `*.example.org` is every name below example.org, and by plain http to an `http://host:port`.',
      resolve: ({ allowed_hosts }) => allowed_hosts,
    }),
    createdAt: t.expose('created_at', { type: 'DateTime', description: 'Since when there is one of this name.' }),
    updatedAt: t.expose('updated_at', { type: 'DateTime', description: 'When it was set last.' }),
    updatedBy: t.field({
      type: UserRef,
      description: 'Who set it last.',
      resolve: ({ updated_by_id }) => updated_by_id,
    }),
  }),
});

const BY_NAME: Ordering = { field: 'NAME', direction: 'ASC', by: { column: 'name', type: 'text', nullable: false } };

const SecretConnection = builder.connectionObject(
  { type: SecretRef, name: 'SecretConnection', description: 'A page of secrets.' },
  { name: 'SecretEdge', description: 'A secret of a page.' },
);

builder.queryField('secrets', (t) =>
  t.connection(
    {
      type: SecretRef,
      authScopes: { admin: true },
      description: 'The stored secrets in the order of their names; for admins. Their values are shown to nobody.',
      resolve: async (_root, args, { em }) => {
        const page = readPage(args);
        const rows = await keysetPage(secretRows(em), 'secret', BY_NAME, page).execute();
        return keysetConnection(rows, BY_NAME, page);
      },
    },
    SecretConnection,
  ),
);
