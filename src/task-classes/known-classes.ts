// The task classes that a gateway knows, with or without their code: a runner registers its classes when it starts, and
// processes without the code use the registration.
import type { EntityManager } from '@mikro-orm/postgresql';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { sql } from 'kysely';
import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { inTransaction } from '../database/transaction.ts';
import { dataSchemaOf } from './data-schema.ts';
import type { TaskClasses } from './registry.ts';
import type { TaskClass, TaskDefaults } from './task-class.ts';

/** A fault of a task's data. */
export interface DataFault {
  /** Keys and positions, from the outside in. */
  path: readonly (string | number)[];
  /** What is accepted, then what came. */
  message: string;
}

/** A task class as known to processes that do not run it. */
export interface KnownClass {
  name: string;
  title: string;
  description: string;
  /** JSON Schema of what callers send: a key with a default is optional. */
  dataSchema: unknown;
  defaults: TaskDefaults;
  exclusive: boolean;
  /** Null if the data fits. */
  findFault(data: unknown): DataFault | null;
}

export class KnownClasses {
  readonly #own: ReadonlyMap<string, KnownClass>;

  constructor(own: TaskClasses) {
    this.#own = new Map(own.all.map((taskClass) => [taskClass.name, ofCode(taskClass)]));
  }

  /** A class of this process, or one registered by a runner. Only the latter costs a query. */
  async named(em: EntityManager, name: string): Promise<KnownClass | null> {
    const own = this.#own.get(name);
    if (own !== undefined) return own;
    const [registered] = await readRegistered(em, [name]);
    return registered === undefined ? null : ofRegistered(registered);
  }

  /** All classes: this process' own, then those registered by runners, by name. */
  async all(em: EntityManager): Promise<KnownClass[]> {
    const registered = await readRegistered(em, null);
    const others = registered.filter(({ name }) => !this.#own.has(name));
    return [...this.#own.values(), ...others.map(ofRegistered)];
  }
}

/**
 * Registers these classes for all processes. Runners that start at once write in the same order, so they do not
 * deadlock.
 */
export async function registerClasses(em: EntityManager, classes: readonly TaskClass[]): Promise<void> {
  const described = classes.map(ofCode).toSorted((left, right) => (left.name < right.name ? -1 : 1));
  const values = described.map(({ name, title, description, dataSchema, defaults, exclusive }) => {
    return {
      name,
      title,
      description,
      schema: JSON.stringify(dataSchema),
      defaults: JSON.stringify(defaults),
      exclusive,
    };
  });
  await inTransaction(em, (transaction) =>
    sql`
      insert into registered_class (name, title, description, data_schema, defaults, exclusive)
      select name, title, description, schema, defaults, exclusive
      from json_to_recordset(${JSON.stringify(values)}::json) as c (
        name text, title text, description text, schema text, defaults text, exclusive bool)
      on conflict (name) do update set title = excluded.title, description = excluded.description,
        data_schema = excluded.data_schema, defaults = excluded.defaults, exclusive = excluded.exclusive,
        registered_at = now()
    `.execute(transaction.getKysely()),
  );
}

/** How many live runners have each class that any of them has. */
export async function countLiveRunners(em: EntityManager): Promise<Map<string, number>> {
  const { rows } = await sql<{ name: string; runners: number }>`
    select name, count(*)::int as runners from runner, unnest(class_names) as name where lives_until > now() group by name
  `.execute(em.getKysely());
  return new Map(rows.map(({ name, runners }) => [name, runners]));
}

function ofCode(taskClass: TaskClass): KnownClass {
  const { name, title, description, data: schema, defaults = {}, exclusive = false } = taskClass;
  const dataSchema = dataSchemaOf(schema);
  return { name, title, description, dataSchema, defaults, exclusive, findFault: (data) => faultOfZod(schema, data) };
}

function faultOfZod(schema: z.ZodType, data: unknown): DataFault | null {
  const parsed = schema.safeParse(data);
  if (parsed.success) return null;
  const path = parsed.error.issues[0]?.path ?? [];
  return {
    path: path.map((key) => (typeof key === 'symbol' ? String(key) : key)),
    message: z.prettifyError(parsed.error),
  };
}

interface Registered {
  name: string;
  title: string;
  description: string;
  data_schema: string;
  defaults: string;
  exclusive: boolean;
}

async function readRegistered(em: EntityManager, names: readonly string[] | null): Promise<Registered[]> {
  const { rows } = await sql<Registered>`
    select name, title, description, data_schema, defaults, exclusive from registered_class
    where ${names === null ? sql`true` : sql`name = any(${[...names]}::text[])`} order by name
  `.execute(em.getKysely());
  return rows;
}

function ofRegistered({ data_schema, defaults, ...row }: Registered): KnownClass {
  return {
    ...row,
    dataSchema: JSON.parse(data_schema),
    defaults: JSON.parse(defaults) as TaskDefaults,
    findFault: (data) => faultFinders.memo(data_schema)(data),
  };
}

type FindFault = KnownClass['findFault'];

const MAX_SCHEMAS = 200;
const faultFinders = new LRUCache<string, FindFault>({ max: MAX_SCHEMAS, memoMethod: compileFinder });

/**
 * Looser than the class itself, which looks at the data before each attempt: formats would need a library that knows the
 * same ones, and a schema that only JavaScript's own patterns could check lets everything pass.
 */
function compileFinder(schemaText: string): FindFault {
  const ajv = new Ajv2020({
    strict: false,
    verbose: true,
    validateFormats: false,
    validateSchema: false,
    unicodeRegExp: false,
    multipleOfPrecision: 9,
  });
  try {
    const validate = ajv.compile(JSON.parse(schemaText));
    return (data) => (validate(data) ? null : faultOfJsonSchema(validate));
  } catch {
    return () => null;
  }
}

const SHOWN_LENGTH = 80;

/** The errors of the last validation. */
function faultOfJsonSchema(validate: ValidateFunction): DataFault {
  // The last error is the outermost: for alternatives, that none of them fits.
  const error = validate.errors?.at(-1);
  if (error === undefined) throw new Error('the data does not fit and there is no error');
  const pointer = error.instancePath.split('/').slice(1);
  const path = pointer.map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'));
  const { missingProperty } = error.params as { missingProperty?: string };
  if (missingProperty !== undefined) {
    return { path: [...path, missingProperty], message: 'is required by the class' };
  }
  const came = JSON.stringify(error.data).slice(0, SHOWN_LENGTH);
  return { path, message: `must be what the class takes (${error.message}), got ${came}` };
}
