import { defineEntity, p } from '@mikro-orm/core';
import { User } from './user.ts';

const AuditEntrySchema = defineEntity({
  name: 'AuditEntry',
  tableName: 'audit_entry',
  properties: {
    id: p.bigint('number').primary().autoincrement(),
    /** The time of the transaction that made the change. */
    at: p.datetime().defaultRaw('now()'),
    /** Who made the change; null for a command on the server. No foreign key: users are never removed. */
    actor: () => p.manyToOne(User).ref().nullable().createForeignKeyConstraint(false),
    /** The public half of the API key that was used. */
    apiKey: p.text().nullable(),
    /** The address of the caller, or the name of the command. */
    origin: p.text(),
    /** The mutation, as in the schema. */
    action: p.text(),
    /** What was changed: the name of a user, secret, server or zone, a key, an address block. */
    target: p.text(),
    /** The change, without secrets; JSON text. */
    change: p.text().nullable(),
  },
  indexes: [
    { name: 'audit_entry_by_actor', properties: ['actor', 'id'] },
    { name: 'audit_entry_by_target', properties: ['target', 'id'] },
    { name: 'audit_entry_by_action', properties: ['action', 'id'] },
  ],
});

/** One immutable record of a change to shared objects. Written in the transaction of the change. */
export class AuditEntry extends AuditEntrySchema.class {}
AuditEntrySchema.setClass(AuditEntry);

export { AuditEntrySchema };
