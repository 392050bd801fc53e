import { maySeeRights } from '../../credentials/users.ts';
import { readRows } from '../../database/rows.ts';
import { toGlobalId } from '../../lib/global-id.ts';
import { containing } from '../../lib/input.ts';
import { builder } from '../builder.ts';
import type { Context } from '../context.ts';
import { RoleEnum } from '../enums.ts';
import { UserRef, type UserRow } from '../refs.ts';
import { readPage } from '../relay/connection.ts';
import { keysetConnection, keysetPage, type Ordering } from '../relay/keyset.ts';

/** What of an answer depends on who asks, whatever their role: fields of these names. */
export const PERSONAL_FIELDS: readonly string[] = ['role', 'disabledAt'];

const adminOrOneself = ({ id }: UserRow, _args: object, { viewer }: Context) => maySeeRights(viewer, id);

UserRef.implement({
  description: 'Someone who owns tasks and holds API keys.',
  interfaces: [builder.nodeInterfaceRef()],
  fields: (t) => ({
    id: t.id({ description: 'Unique among all types.', resolve: ({ id }) => toGlobalId('User', id) }),
    legacyId: t.exposeInt('id', { description: 'The `user_id` of the old API.' }),
    name: t.exposeString('name', { description: 'Unique among users.' }),
    role: t.expose('role', {
      type: RoleEnum,
      authScopes: adminOrOneself,
      description: 'What they may do; for admins and themselves.',
    }),
    disabledAt: t.expose('disabled_at', {
      type: 'DateTime',
      nullable: true,
      authScopes: adminOrOneself,
      description:
        'Since when none of their keys opens anything; null while they do. Their tasks go on. For admins and themselves.',
    }),
  }),
});

builder.queryField('viewer', (t) =>
  t.field({
    type: UserRef,
    nullable: true,
    description: 'The user who asks.',
    // Whoever asks is let in.
    resolve: (_root, _args, { viewer: { id, name, role } }) => ({ id, name, role, disabled_at: null }),
  }),
);

const BY_NAME: Ordering = { field: 'NAME', direction: 'ASC', by: { column: 'name', type: 'text', nullable: false } };

const UserConnection = builder.connectionObject(
  { type: UserRef, name: 'UserConnection', description: 'A page of users.' },
  { name: 'UserEdge', description: 'A user of a page.' },
);

const UserFilter = builder.inputType('UserFilter', {
  description: 'Which users: those that meet every condition given.',
  fields: (t) => ({
    name: t.string({ description: 'The name holds this text, in capitals or not.' }),
    role: t.field({ type: RoleEnum, description: 'Of this role.' }),
    disabled: t.boolean({ description: 'Whether they are disabled.' }),
  }),
});

builder.queryField('users', (t) =>
  t.connection(
    {
      type: UserRef,
      authScopes: { admin: true },
      description: 'The users in the order of their names; for admins.',
      args: { filter: t.arg({ type: UserFilter, description: 'Which ones; every one unless given.' }) },
      resolve: async (_root, { filter, ...args }, { em }) => {
        const page = readPage(args);
        let query = readRows(em).selectFrom('app_user').select(['id', 'name', 'role', 'disabled_at']);
        if (filter?.name != null) query = query.where('name', 'ilike', containing(filter.name, 'filter.name'));
        if (filter?.role != null) query = query.where('role', '=', filter.role);
        if (filter?.disabled != null) query = query.where('disabled_at', filter.disabled ? 'is not' : 'is', null);
        return keysetConnection(await keysetPage(query, 'app_user', BY_NAME, page).execute(), BY_NAME, page);
      },
    },
    UserConnection,
  ),
);
