// Queries of the audit log (see `src/credentials/audit.ts`).
import type { EntityManager } from '@mikro-orm/postgresql';
import { type Audited, type AuditedUser, recordAudit } from '../../credentials/audit.ts';
import { type Row, readRows } from '../../database/rows.ts';
import { readGlobalId } from '../../lib/global-id.ts';
import { builder } from '../builder.ts';
import type { Context } from '../context.ts';
import { UserRef } from '../refs.ts';
import { readPage } from '../relay/connection.ts';
import { keysetConnection, keysetPage, type Ordering } from '../relay/keyset.ts';

/** The caller of an operation, for the audit log. */
export function auditedBy({ viewer, apiKey, origin }: Context): AuditedUser {
  return { actorId: viewer.id, apiKey, origin };
}

/** Adds a change by the caller to the audit log, in the transaction of the change. */
export function audit(em: EntityManager, context: Context, ...audited: readonly Audited[]): Promise<void> {
  return recordAudit(em, auditedBy(context), ...audited);
}

const AuditEntryRef = builder.objectRef<Row<'audit_entry'>>('AuditEntry').implement({
  description:
    'An entry of the audit log: a change of a shared object, that is, a user, API key, secret, the installation, a name server, DNS zone, DNS record or address block.',
  fields: (t) => ({
    at: t.expose('at', { type: 'DateTime', description: 'When the change was made.' }),
    actor: t.field({
      type: UserRef,
      nullable: true,
      description: 'The user who made the change; null for a command on a machine of the installation.',
      resolve: ({ actor_id }) => actor_id,
    }),
    apiKey: t.exposeString('api_key', {
      nullable: true,
      description: 'The public key that they used; null for a command.',
    }),
    origin: t.exposeString('origin', { description: 'The address of the caller, or the command.' }),
    action: t.exposeString('action', { description: 'The mutation, such as `updateUser`.' }),
    target: t.exposeString('target', {
      description:
        'What was changed: the name of a user, secret, server or zone (also for its records), a public key, or an address block.',
    }),
    change: t.field({
      type: 'JSON',
      nullable: true,
      description:
        'The changed values, such as `{ role: { from, to } }`; never a secret. null if there are no details.',
      resolve: ({ change }) => (change === null ? null : (JSON.parse(change) as unknown)),
    }),
  }),
});

const NEWEST_FIRST: Ordering = { field: 'ID', direction: 'DESC', by: null };

const AuditEntryConnection = builder.connectionObject(
  { type: AuditEntryRef, name: 'AuditEntryConnection', description: 'A page of the audit log.' },
  { name: 'AuditEntryEdge', description: 'An entry in a page of the audit log.' },
);

const AuditFilter = builder.inputType('AuditFilter', {
  description: 'Selects the changes that match every given condition.',
  fields: (t) => ({
    actor: t.id({ description: 'Changes by this user.' }),
    action: t.string({ description: 'Changes by this mutation, such as `updateUser`.' }),
    target: t.string({ description: 'Changes of this target: its name, public key or addresses.' }),
  }),
});

builder.queryField('auditLog', (t) =>
  t.connection(
    {
      type: AuditEntryRef,
      authScopes: { admin: true },
      description:
        'The audit log, newest first: changes of users, API keys, secrets, the installation, name servers, DNS zones and records, and address blocks. Admins only. Changes of tasks are in `events`.',
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
