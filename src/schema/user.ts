import { builder } from './builder.ts';
import { RoleEnum } from './enums.ts';
import { toGlobalId } from './global-id.ts';
import { UserRef } from './refs.ts';

UserRef.implement({
  description: 'Someone who owns tasks and holds API keys.',
  interfaces: [builder.nodeInterfaceRef()],
  fields: (t) => ({
    id: t.id({ description: 'Unique among all types.', resolve: ({ id }) => toGlobalId('User', id) }),
    legacyId: t.exposeInt('id', { description: 'The `user_id` of the old API.' }),
    name: t.exposeString('name', { description: 'Unique among users.' }),
    role: t.expose('role', { type: RoleEnum, description: 'What they may do.' }),
  }),
});

builder.queryField('viewer', (t) =>
  t.field({
    type: UserRef,
    nullable: true,
    description: 'The user who asks.',
    resolve: (_root, _args, { viewer: { id, name, role } }) => ({ id, name, role }),
  }),
);
