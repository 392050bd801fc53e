import { defineEntity, p } from '@mikro-orm/core';
import { User } from './user.ts';

const SecretSchema = defineEntity({
  name: 'Secret',
  tableName: 'secret',
  properties: {
    id: p.integer().primary().autoincrement(),
    /** What tasks refer to it by. */
    name: p.text().unique(),
    /** Sealed with the master key for this name (see `src/credentials/vault.ts`); never stored in clear. */
    sealedValue: p.blob(),
    /** Where it may be sent: by https to host names, or by plain http to `http://host:port` (see `src/credentials/secret-hosts.ts`). */
    allowedHosts: p.array(),
    createdAt: p.datetime().defaultRaw('now()'),
    updatedAt: p.datetime().defaultRaw('now()'),
    /** The user who set it last. */
    updatedBy: () => p.manyToOne(User).ref().index(),
  },
  checks: [
    { name: 'secret_name_length', expression: 'char_length(name) between 1 and 100' },
    { name: 'secret_allowed_hosts', expression: 'cardinality(allowed_hosts) > 0' },
  ],
});

/** A value that tasks send to a receiver; it cannot be read back. */
export class Secret extends SecretSchema.class {}
SecretSchema.setClass(Secret);

export { SecretSchema };
