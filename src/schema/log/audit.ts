// Who changed what belongs to all (see `src/credentials/audit.ts`), as it is asked for.
import type { EntityManager } from '@mikro-orm/postgresql';
import { type Audited, type AuditedUser, recordAudit } from '../../credentials/audit.ts';
import { type Row, readRows } from '../../database/rows.ts';
import { readGlobalId } from '../../lib/global-id.ts';
import { builder } from '../builder.ts';
import type { Context } from '../context.ts';
import { UserRef } from '../refs.ts';
import { readPage } from '../relay/connection.ts';
import { keysetConnection, keysetPage, type Ordering } from '../relay/keyset.ts';

/** The caller of an operation, for the record of what they change. */
export function auditedBy({ viewer, apiKey, origin }: Context): AuditedUser {
  return { actorId: viewer.id, apiKey, origin };
}

/** Records what the caller of an operation changes, in its transaction. */
export function audit(em: EntityManager, context: Context, ...audited: readonly Audited[]): Promise<void> {
  return recordAudit(em, auditedBy(context), ...audited);
}

const AuditEntryRef = builder.objectRef<Row<'audit_entry'>>('AuditEntry').implement({
  description:
    'A change of what belongs to all: of a user, a key, a secret, the installation, a name server, a DNS zone, one of its records, or an address block.',
  fields: (t) => ({
    at: t.expose('at', { type: 'DateTime', description: 'When.' }),
    actor: t.field({
      type: UserRef,
      nullable: true,
      description: 'Who; null for a command on a machine of the installation.',
      resolve: ({ actor_id }) => actor_id,
    }),
    apiKey: t.exposeString('api_key', {
      nullable: true,
      description: 'The public half of the key that they came with; null for a command.',
    }),
    origin: t.exposeString('origin', { description: 'From where: the address of the caller, or the command.' }),
    action: t.exposeString('action', { description: 'The mutation, such as `updateUser`.' }),
    target: t.exposeString('target', {
      description:
        'What was changed: the name of a user, secret, server or zone (for its records too), the public half of a key, an address block.',
    }),
    change: t.field({
      type: 'JSON',
      nullable: true,
      description: 'What of it, such as `{ role: { from, to } }`; never a secret. Null where there is no more to say.',
      resolve: ({ change }) => (change === null ? null : (JSON.parse(change) as unknown)),
    }),
  }),
});

const NEWEST_FIRST: Ordering = { field: 'ID', direction: 'DESC', by: null };

const AuditEntryConnection = builder.connectionObject(
  { type: AuditEntryRef, name: 'AuditEntryConnection', description: 'A page of the record of changes.' },
  { name: 'AuditEntryEdge', description: 'A change of a page.' },
);

const AuditFilter = builder.inputType('AuditFilter', {
  description: 'Which changes: those that meet every condition given.',
  fields: (t) => ({
    actor: t.id({ description: 'By this user.' }),
    action: t.string({ description: 'By this mutation.' }),
    target: t.string({ description: 'Of what has this name, this key, or these addresses.' }),
  }),
});

builder.queryField('auditLog', (t) =>
  t.connection(
    {
      type: AuditEntryRef,
      authScopes: { admin: true },
      description:
        'Who changed users, keys, secrets, the installation, name servers, DNS zones and records, and address blocks, the newest first; for admins. What is done to tasks is in `events`.',
      args: { filter: t.arg({ type: AuditFilter, description: 'The filter; all by default.' }) },
      resolve: async (_root, { filter, ...args }, { em }) => {
        const page = readPage(args);
        let query = readRows(em).selectFrom('audit_entry').selectAll();
        if (filter?.actor != null) {
          query = query.where('actor_id', '=', readGlobalId('User', filter.actor, 'filter.actor'));
        }
        if (filter?.action != null) query = query.where('action', '=', filter.action);
        if (filter?.target != null) query = query.where('target', '=', filter.target);
        const rows = await keysetPage(query, 'audit_entry', NEWEST_FIRST, page).execute();
        return keysetConnection(rows, NEWEST_FIRST, page);
      },
    },
    AuditEntryConnection,
  ),
);
