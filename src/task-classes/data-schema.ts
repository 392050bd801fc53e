// The JSON Schema of a task class' data, for processes without its code. If JSON Schema cannot express what zod
// accepts, it is more lenient: a process that uses it must not refuse data that the class accepts.
import { z } from 'zod';

type JsonSchema = z.core.JSONSchema.BaseSchema;

/**
 * The schema of what callers send: a key with a default is optional. Throws for types that zod cannot write as JSON
 * Schema.
 */
export function dataSchemaOf(schema: z.ZodType): JsonSchema {
  return z.toJSONSchema(schema, {
    io: 'input',
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema }) => {
      if (takesAnything(zodSchema)) clear(jsonSchema);
      else if (zodSchema instanceof z.ZodObject) dropRequired(zodSchema, jsonSchema);
      else if (zodSchema instanceof z.ZodString && isChangedFirst(zodSchema)) dropTextRules(jsonSchema);
    },
  });
}

/** Schemas that transform their input before they check it. */
function takesAnything(schema: z.core.$ZodType): boolean {
  const { def } = schema._zod;
  if ('coerce' in def && def.coerce === true) return true;
  return def.type === 'catch' || (schema instanceof z.ZodPipe && schema.def.in._zod.def.type === 'transform');
}

function clear(jsonSchema: JsonSchema): void {
  const { description } = jsonSchema;
  for (const key of Object.keys(jsonSchema)) delete jsonSchema[key as keyof JsonSchema];
  if (description !== undefined) jsonSchema.description = description;
}

/** A key whose schema takes anything takes nothing, too. */
function dropRequired({ shape }: z.ZodObject, jsonSchema: JsonSchema): void {
  const required = jsonSchema.required?.filter((key) => !(shape[key] && takesAnything(shape[key])));
  if (required !== undefined) jsonSchema.required = required;
}

/** Trimmed or made lower case before it is looked at, or looked at with flags that a pattern in JSON Schema has not. */
function isChangedFirst({ def }: z.ZodString): boolean {
  return (def.checks ?? []).some((check) => {
    const { def: rule } = check._zod;
    return (
      rule.check === 'overwrite' || ('pattern' in rule && rule.pattern instanceof RegExp && rule.pattern.flags !== '')
    );
  });
}

function dropTextRules(jsonSchema: JsonSchema): void {
  for (const key of ['pattern', 'allOf', 'minLength', 'maxLength', 'format'] as const) delete jsonSchema[key];
}
