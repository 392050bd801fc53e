import { defineEntity, p } from '@mikro-orm/core';

const InstallationSchema = defineEntity({
  name: 'Installation',
  tableName: 'installation',
  properties: {
    /** Always 1: a database is one installation. */
    id: p.integer().primary().autoincrement(false),
    /** Part of the names of its backups, and in its exports; a restored copy gets another, so that it removes no backup of the original. */
    uuid: p.uuid().defaultRaw('gen_random_uuid()'),
    /** Since when the runners are held; null while they run. */
    heldSince: p.datetime().nullable(),
    /** The reason, shown to the operator who decides whether to release them. */
    heldBecause: p.text().nullable(),
  },
  checks: [
    { name: 'installation_single', expression: 'id = 1' },
    { name: 'installation_held', expression: '(held_since is null) = (held_because is null)' },
  ],
});

/**
 * The single row that identifies this installation, and whether its runners are held until an operator confirms that it
 * is the real one.
 */
export class Installation extends InstallationSchema.class {}
InstallationSchema.setClass(Installation);

export { InstallationSchema };
