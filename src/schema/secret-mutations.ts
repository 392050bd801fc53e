import { sql } from 'kysely';
import { parseSecretHost, SECRET_HOST_RULE } from '../credentials/secret-hosts.ts';
import { MAX_SECRET_LENGTH, SECRET_NAME, SECRET_NAME_RULE, SECRET_VALUE, storeSecret } from '../credentials/secrets.ts';
import { withIdempotencyKey } from '../database/idempotency.ts';
import { badInput, notFound } from '../lib/faults.ts';
import { readList } from '../lib/input.ts';
import { audit } from './audit.ts';
import { builder } from './builder.ts';
import { IDEMPOTENCY_KEY } from './idempotency-key.ts';
import { SecretRef, secretRows } from './secret.ts';

const MAX_HOSTS = 100;
const SHOWN = 80;

function readName(name: string): string {
  if (SECRET_NAME.test(name)) return name;
  throw badInput('input.name', `it is ${JSON.stringify(name.slice(0, SHOWN))}; accepted is ${SECRET_NAME_RULE}`);
}

/** The message says nothing of the value but its length. */
function readValue(value: string): string {
  if (value.length >= 1 && value.length <= MAX_SECRET_LENGTH && SECRET_VALUE.test(value)) return value;
  throw badInput(
    'input.value',
    `it has ${value.length} characters; accepted are 1 to ${MAX_SECRET_LENGTH} printable ASCII characters, with no blank at either end`,
  );
}

function readHosts(hosts: readonly string[]): string[] {
  const entries = readList(hosts, 'input.allowedHosts', { least: 1, most: MAX_HOSTS }).map((host, index) => {
    const entry = parseSecretHost(host);
    if (entry !== null) return entry;
    const shown = JSON.stringify(host.slice(0, SHOWN));
    throw badInput(`input.allowedHosts.${index}`, `it is ${shown}; accepted is ${SECRET_HOST_RULE}`);
  });
  return [...new Set(entries)];
}

builder.relayMutationField(
  'setSecret',
  {
    description: 'A secret to store.',
    inputFields: (t) => ({
      name: t.string({ required: true, description: `What tasks refer to it by: ${SECRET_NAME_RULE}.` }),
      value: t.string({
        required: true,
        description: `1 to ${MAX_SECRET_LENGTH} printable ASCII characters, with no blank at either end; stored encrypted and never shown.`,
      }),
      allowedHosts: t.stringList({
        required: true,
        description: `Where it may be sent, 1 to ${MAX_HOSTS}: by https to \`example.org\`, or \`*.example.org\` for every name below it, at any port; by plain http only to exactly \`http://example.org:8080\`, port 80 unless given.`,
      }),
      idempotencyKey: t.string(IDEMPOTENCY_KEY),
    }),
  },
  {
    description:
      'Stores a secret, or replaces the one of its name; for admins. Runs that start from then on send the new value.',
    authScopes: { admin: true },
    resolve: async (_root, { input }, context) => {
      const name = readName(input.name);
      const value = readValue(input.value);
      const allowedHosts = readHosts(input.allowedHosts);
      // What is kept of the call for its repeats must not let anybody guess the value.
      const kept = { ...input, value: context.vault.fingerprint(value) };
      const id = await withIdempotencyKey(context, 'setSecret', kept, async (em) => {
        await audit(em, context, { action: 'setSecret', target: name, change: { allowedHosts } });
        return storeSecret(em, context.vault, { name, value, allowedHosts }, context.viewer);
      });
      return { secretId: id };
    },
  },
  {
    description: 'The secret that was stored.',
    outputFields: (t) => ({
      secret: t.field({
        type: SecretRef,
        nullable: true,
        description: 'The secret, without its value; null in the answer to a repeated call where it was deleted since.',
        resolve: ({ secretId }, _arguments, { em }) => secretRows(em).where('id', '=', secretId).executeTakeFirst(),
      }),
    }),
  },
);

builder.relayMutationField(
  'deleteSecret',
  {
    description: 'Which secret to delete.',
    inputFields: (t) => ({
      name: t.string({ required: true, description: 'Its name.' }),
      idempotencyKey: t.string(IDEMPOTENCY_KEY),
    }),
  },
  {
    description: 'Deletes a secret; for admins. Runs of tasks that refer to it fail from then on.',
    authScopes: { admin: true },
    resolve: async (_root, { input }, context) => {
      const name = readName(input.name);
      await withIdempotencyKey(context, 'deleteSecret', input, async (em) => {
        const { rows } = await sql<{ id: number }>`delete from secret where name = ${name} returning id`.execute(
          em.getKysely(),
        );
        const [deleted] = rows;
        if (deleted === undefined) throw notFound(`there is no secret ${JSON.stringify(name)}`, 'input.name');
        await audit(em, context, { action: 'deleteSecret', target: name });
        return deleted.id;
      });
      return { name };
    },
  },
  {
    description: 'The secret that was deleted.',
    outputFields: (t) => ({ name: t.exposeString('name', { nullable: true, description: 'Its name.' }) }),
  },
);
