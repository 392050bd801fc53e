import { defineEntity, p } from '@mikro-orm/core';

/** What a user may do: viewers read, operators also write their own tasks, admins do everything. */
export const ROLES = ['VIEWER', 'OPERATOR', 'ADMIN'] as const;
export type Role = (typeof ROLES)[number];

const UserSchema = defineEntity({
  name: 'User',
  tableName: 'app_user',
  properties: {
    /** The id that old callers know as `user_id`. */
    id: p.integer().primary().autoincrement(),
    name: p.text().unique(),
    role: p.enum(ROLES),
    createdAt: p.datetime().defaultRaw('now()'),
    /** Since when the user is locked out: no key works; their tasks keep running. */
    disabledAt: p.datetime().nullable(),
  },
  checks: [{ name: 'app_user_name_length', expression: 'char_length(name) between 1 and 255' }],
  indexes: [
    { name: 'app_user_by_role', properties: ['role', 'name', 'id'] },
    { name: 'app_user_disabled', properties: ['name', 'id'], where: 'disabled_at is not null' },
  ],
});

/** Someone who owns tasks and holds API keys. */
export class User extends UserSchema.class {}
UserSchema.setClass(User);

export { UserSchema };
