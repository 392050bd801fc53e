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

/** What a runner that has the code of a class told of it, for gateways that have not. The last runner to start wins. */
export class RegisteredClass extends RegisteredClassSchema.class {}
RegisteredClassSchema.setClass(RegisteredClass);

export { RegisteredClassSchema };
