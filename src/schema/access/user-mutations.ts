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
  description: 'The current state of the user.',
  resolve: ({ userId }: { userId: number }) => userId,
} as const;

builder.relayMutationField(
  'addUser',
  {
    description: 'The user to add.',
    inputFields: (t) => ({
      name: t.string({ required: true, description: `The name: ${NAME}.` }),
      role: t.field({ type: RoleEnum, required: true, description: 'The role, which says what the user may do.' }),
      legacyId: t.int({ description: 'The `user_id` in the old API; by default the highest plus 1.' }),
      idempotencyKey: t.string(IDEMPOTENCY_KEY),
    }),
  },
  {
    description:
      'Adds a user. Admins only. CONFLICT if the name or the id is taken. The user needs an API key to sign in.',
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
    description: 'Changes to a user. A field left out keeps its value.',
    inputFields: (t) => ({
      user: t.id({ required: true, description: 'The user to change.' }),
      name: t.string({ description: `The new name: ${NAME}.` }),
      role: t.field({ type: RoleEnum, description: 'The new role.' }),
      disabled: t.boolean({
        description:
          'true locks the user out: none of their keys work until it is false again. Their tasks keep running.',
      }),
      idempotencyKey: t.string(IDEMPOTENCY_KEY),
    }),
  },
  {
    description:
      "Changes a user. Admins only. A new role or being disabled takes effect at once: the user's open subscriptions and WebSockets end and must be reopened, if still allowed. CONFLICT if the name is taken, or if no admin with an API key would be left.",
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
