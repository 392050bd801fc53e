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

/** Fields of these names depend on the viewer, in any role. */
export const PERSONAL_FIELDS: readonly string[] = ['role', 'disabledAt'];

const adminOrOneself = ({ id }: UserRow, _args: object, { viewer }: Context) => maySeeRights(viewer, id);

UserRef.implement({
  description: 'A user, who owns tasks and has API keys.',
  interfaces: [builder.nodeInterfaceRef()],
  fields: (t) => ({
    id: t.id({ description: 'Global id, unique across all types.', resolve: ({ id }) => toGlobalId('User', id) }),
    legacyId: t.exposeInt('id', { description: 'The `user_id` of the old API.' }),
    name: t.exposeString('name', { description: 'The name; unique among users.' }),
    role: t.expose('role', {
      type: RoleEnum,
      authScopes: adminOrOneself,
      description: 'The role, which says what the user may do. Visible to admins and to the user.',
    }),
    disabledAt: t.expose('disabled_at', {
      type: 'DateTime',
      nullable: true,
      authScopes: adminOrOneself,
      description:
        'When the user was disabled; null if not. The keys of a disabled user do not work; their tasks keep running. Visible to admins and to the user.',
    }),
  }),
});

builder.queryField('viewer', (t) =>
  t.field({
    type: UserRef,
    nullable: true,
    description: 'The user who sent the request.',
    // Any viewer has access.
    resolve: (_root, _args, { viewer: { id, name, role } }) => ({ id, name, role, disabled_at: null }),
  }),
);

const BY_NAME: Ordering = { field: 'NAME', direction: 'ASC', by: { column: 'name', type: 'text', nullable: false } };

const UserConnection = builder.connectionObject(
  { type: UserRef, name: 'UserConnection', description: 'A page of users.' },
  { name: 'UserEdge', description: 'A user in a page.' },
);

const UserFilter = builder.inputType('UserFilter', {
  description: 'Selects the users that match every given condition.',
  fields: (t) => ({
    name: t.string({ description: 'The name contains this text, ignoring case.' }),
    role: t.field({ type: RoleEnum, description: 'Users with this role.' }),
    disabled: t.boolean({ description: 'true for disabled users, false for the others.' }),
  }),
});

builder.queryField('users', (t) =>
  t.connection(
    {
      type: UserRef,
      authScopes: { admin: true },
      description: 'The users, by name. Admins only.',
      args: { filter: t.arg({ type: UserFilter, description: 'The filter; all by default.' }) },
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
