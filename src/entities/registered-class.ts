import { defineEntity, p } from '@mikro-orm/core';

const RegisteredClassSchema = defineEntity({
  name: 'RegisteredClass',
  tableName: 'registered_class',
  properties: {
    name: p.text().primary(),
    title: p.text(),
    description: p.text(),
    /** JSON Schema of the data, as text. */
    dataSchema: p.text(),
    /** JSON text of a TaskDefaults. */
    defaults: p.text(),
    exclusive: p.boolean(),
    registeredAt: p.datetime().defaultRaw('now()'),
  },
});

/**
 * A class as registered by a runner that has its code, for gateways that do not have it. The last runner to start wins.
 */
export class RegisteredClass extends RegisteredClassSchema.class {}
RegisteredClassSchema.setClass(RegisteredClass);

export { RegisteredClassSchema };
