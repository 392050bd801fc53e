// Users are added, and get another name or role.
import { addUser, readNewUser, readUserChange, updateUser } from '../../credentials/user-changes.ts';
import { withIdempotencyKey } from '../../database/idempotency.ts';
import { readGlobalId } from '../../lib/global-id.ts';
import { builder } from '../builder.ts';
import { RoleEnum } from '../enums.ts';
import { IDEMPOTENCY_KEY } from '../idempotency-key.ts';
import { auditedBy } from '../log/audit.ts';
import { UserRef } from '../refs.ts';

const NAME = 'unique among users, 1 to 255 characters';

/** The field of a payload that says which user was added or changed. */
const userOf = {
  type: UserRef,
  nullable: true,
  description: 'The user, as they are now.',
  resolve: ({ userId }: { userId: number }) => userId,
} as const;

builder.relayMutationField(
  'addUser',
  {
    description: 'Someone who is to own tasks and hold API keys.',
    inputFields: (t) => ({
      name: t.string({ required: true, description: `Their name: ${NAME}.` }),
      role: t.field({ type: RoleEnum, required: true, description: 'What they may do.' }),
      legacyId: t.int({ description: 'Their `user_id` in the old API; the next after the highest unless given.' }),
      idempotencyKey: t.string(IDEMPOTENCY_KEY),
    }),
  },
  {
    description:
      'Adds a user; for admins. CONFLICT where the name or the id is taken. They need an API key to come in.',
    authScopes: { admin: true },
    resolve: async (_root, { input }, context) => {
      const { name, role, legacyId } = input;
      const user = readNewUser({ legacyId: legacyId ?? null, name, role });
      const userId = await withIdempotencyKey(context, 'addUser', input, (em) => addUser(em, auditedBy(context), user));
      return { userId };
    },
  },
  { description: 'The user who was added.', outputFields: (t) => ({ user: t.field(userOf) }) },
);

builder.relayMutationField(
  'updateUser',
  {
    description: 'What to change of a user. A field left out stays as it is.',
    inputFields: (t) => ({
      user: t.id({ required: true, description: 'Which user.' }),
      name: t.string({ description: `Their new name: ${NAME}.` }),
      role: t.field({ type: RoleEnum, description: 'What they may do from now on.' }),
      disabled: t.boolean({
        description:
          'True shuts them out: none of their keys opens anything until it is false again. Their tasks go on.',
      }),
      idempotencyKey: t.string(IDEMPOTENCY_KEY),
    }),
  },
  {
    description:
      'Changes a user; for admins. Another role counts at once, and so does being disabled: their open subscriptions and WebSockets end, to be opened anew by who may. CONFLICT where the name is taken, or where no admin with an API key would be left.',
    authScopes: { admin: true },
    resolve: async (_root, { input }, context) => {
      const id = readGlobalId('User', input.user, 'user');
      const { name, role, disabled } = input;
      const change = readUserChange({ name: name ?? null, role: role ?? null, disabled: disabled ?? null });
      const userId = await withIdempotencyKey(context, 'updateUser', input, async (em) => {
        await updateUser(em, auditedBy(context), id, change);
        return id;
      });
      context.notifications.notify('slotkeeper_keys');
      return { userId };
    },
  },
  { description: 'The user who was changed.', outputFields: (t) => ({ user: t.field(userOf) }) },
);
