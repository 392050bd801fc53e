// The old API for machines: an OpenAPI 3.1 description, made from the action table.
import { ACTIONS, type LegacyAction } from './actions.ts';
import type { Schema } from './parameters.ts';
import { ITEM_SCHEMA, REPEAT_ITEMS } from './repeat-items.ts';

export const LEGACY_PATH = '/api/v1/api.php';
const BODY_TYPES = ['application/json', 'application/x-www-form-urlencoded', 'multipart/form-data'];

const TEXT = { type: 'string' };
const TEXT_OR_NULL = { type: ['string', 'null'] };

function row(properties: Record<string, Schema>): Schema {
  return { type: 'object', properties, required: Object.keys(properties) };
}

const REPEAT_ROW = row({
  id: TEXT,
  task_id: TEXT,
  ...Object.fromEntries(Object.keys(ITEM_SCHEMA.properties as object).map((name) => [name, TEXT_OR_NULL])),
});

const SCHEMAS: Record<string, Schema> = {
  Task: row({
    id: TEXT,
    user_id: TEXT_OR_NULL,
    name: TEXT,
    class_name: TEXT,
    active: { type: 'boolean' },
    data: {
      type: ['object', 'array', 'null'],
      description: 'The data, exactly as sent; PHP shows an empty object as null.',
    },
    last_run: TEXT_OR_NULL,
    repeat_items: { type: 'array', items: REPEAT_ROW },
  }),
  HistoryRow: row({
    log_id: TEXT,
    time: TEXT,
    log_level: TEXT,
    user_id: TEXT_OR_NULL,
    username: TEXT_OR_NULL,
    log_category: TEXT,
    message: TEXT,
    ip: { type: 'null' },
  }),
  Success: {
    type: 'object',
    properties: {
      success: { const: 1 },
      message: TEXT,
      data: {
        anyOf: [
          { type: 'null' },
          { type: 'array', items: { $ref: '#/components/schemas/Task' } },
          { type: 'array', items: { $ref: '#/components/schemas/HistoryRow' } },
        ],
      },
    },
    required: ['success'],
  },
  Error: {
    type: 'object',
    properties: { success: { const: 0 }, message: TEXT },
    required: ['success', 'message'],
  },
};

function callName({ name }: LegacyAction): string {
  return `${name[0]?.toUpperCase()}${name.slice(1)}Call`;
}

/** The parameters of an action as one object; fields of a single repeat item may stand beside the others. */
function callSchema({ summary, parameters }: LegacyAction): Schema {
  const takesItems = parameters.some(({ name }) => name === REPEAT_ITEMS);
  const named = parameters.map(({ name, schema, accepted }) => [name, { ...schema, description: `${accepted}.` }]);
  return {
    type: 'object',
    description: summary,
    properties: { ...Object.fromEntries(named), ...(takesItems ? (ITEM_SCHEMA.properties as object) : {}) },
    required: parameters.filter(({ name, isRequired }) => isRequired && name !== REPEAT_ITEMS).map(({ name }) => name),
  };
}

function inQuery(name: string, required: boolean, schema: Schema, description: string) {
  return { name, in: 'query', required, schema, description };
}

function commonParameters(actions: readonly LegacyAction[]) {
  const names = actions.map(({ name }) => name);
  return [
    inQuery('target', true, { enum: ['scheduler'] }, 'Case-insensitive.'),
    inQuery('action', true, { enum: names }, actions.map(({ name, summary }) => `${name}: ${summary}`).join(' ')),
  ];
}

/** The parameters that GET calls carry, each once: which action takes it is said in words. */
function queryParameters(actions: readonly LegacyAction[]) {
  const all = actions.flatMap((action) => action.parameters.map((parameter) => ({ action, parameter })));
  return [...Map.groupBy(all, ({ parameter }) => parameter.name)].flatMap(([name, uses]) => {
    const [first] = uses;
    if (first === undefined || name === REPEAT_ITEMS) return [];
    const actionNames = uses.map(({ action }) => action.name).join(', ');
    const description = `For ${actionNames}: ${first.parameter.accepted}.`;
    return [inQuery(name, false, first.parameter.schema, description)];
  });
}

const RESPONSES = {
  '200': {
    description: 'Success, or the reason for the failure. Every outcome except 401 has this status.',
    content: {
      'application/json': {
        schema: { oneOf: [{ $ref: '#/components/schemas/Success' }, { $ref: '#/components/schemas/Error' }] },
        examples: Object.fromEntries(ACTIONS.map(({ name, example }) => [name, { value: JSON.parse(example) }])),
      },
    },
  },
  '401': {
    description: 'Missing or wrong credentials.',
    headers: {
      'Retry-After': { description: 'Seconds to wait after too many failed attempts.', schema: { type: 'integer' } },
    },
    content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
  },
};

const IDEMPOTENCY_KEY = {
  name: 'Idempotency-Key',
  in: 'header',
  schema: { type: 'string', maxLength: 200 },
  description:
    'Makes retries safe: the same call with the same key within 24 hours returns the first reply and does nothing; another call with that key is refused.',
};

const SECURITY_SCHEMES = {
  signature: {
    type: 'apiKey',
    in: 'query',
    name: 'hash',
    description:
      'base64(HMAC-SHA256(secret, the query string up to `&hash=`)). `apiKey` must come before it; anything after it is ignored.',
  },
  basic: { type: 'http', scheme: 'basic', description: 'The key is the user, the secret the password.' },
  bearer: { type: 'http', scheme: 'bearer', description: '`key.secret`.' },
};

/** The description, as plain data. */
export function describeLegacyApi() {
  const byGet = ACTIONS.filter(({ methods }) => methods.includes('GET'));
  const calls = ACTIONS.map((action) => [callName(action), callSchema(action)]);
  const body = { schema: { anyOf: calls.map(([name]) => ({ $ref: `#/components/schemas/${name}` })) } };
  return {
    openapi: '3.1.0',
    info: {
      title: 'The old scheduler API',
      version: '1',
      description:
        'The api.php calls of the IP address and DNS product, answered by Slotkeeper unchanged. New clients use GraphQL.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/' }],
    security: Object.keys(SECURITY_SCHEMES).map((name) => ({ [name]: [] })),
    paths: {
      [LEGACY_PATH]: {
        get: {
          operationId: 'callByGet',
          summary: 'Calls an action with all parameters in the query string.',
          parameters: [...commonParameters(byGet), ...queryParameters(byGet), IDEMPOTENCY_KEY],
          responses: RESPONSES,
        },
        post: {
          operationId: 'callByPost',
          summary: 'Calls an action with parameters in the body, which override those in the query string.',
          parameters: [...commonParameters(ACTIONS), IDEMPOTENCY_KEY],
          requestBody: { required: false, content: Object.fromEntries(BODY_TYPES.map((type) => [type, body])) },
          responses: RESPONSES,
        },
      },
    },
    components: { securitySchemes: SECURITY_SCHEMES, schemas: { ...SCHEMAS, ...Object.fromEntries(calls) } },
  };
}
