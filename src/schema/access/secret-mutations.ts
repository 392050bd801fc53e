import {
  deleteSecret,
  MAX_SECRET_HOSTS,
  readSecret,
  readSecretName,
  setSecret,
} from '../../credentials/secret-changes.ts';
import { secretRows } from '../../credentials/secret-rows.ts';
import { MAX_SECRET_LENGTH, SECRET_NAME_RULE } from '../../credentials/secrets.ts';
import { withIdempotencyKey } from '../../database/idempotency.ts';
import { builder } from '../builder.ts';
import { IDEMPOTENCY_KEY } from '../idempotency-key.ts';
import { auditedBy } from '../log/audit.ts';
import { SecretRef } from './secret.ts';

builder.relayMutationField(
  'setSecret',
  {
    description: 'A secret to store.',
    inputFields: (t) => ({
      name: t.string({ required: true, description: `The name by which tasks refer to it: ${SECRET_NAME_RULE}.` }),
      value: t.string({
        required: true,
        description: `The value: 1 to ${MAX_SECRET_LENGTH} printable ASCII characters, without leading or trailing spaces. Stored encrypted and never shown.`,
      }),
      allowedHosts: t.stringList({
        required: true,
        description: `The hosts that may receive it, 1 to ${MAX_SECRET_HOSTS}. \`example.org\` allows https on any port, \`*.example.org\` the same for every name below it; plain http needs an exact \`http://example.org:8080\`, where the port is 80 by default.`,
      }),
      idempotencyKey: t.string(IDEMPOTENCY_KEY),
    }),
  },
  {
    description:
      'Stores a secret, or replaces the one of the same name. Admins only. Runs that start afterwards send the new value.',
    authScopes: { admin: true },
    resolve: async (_root, { input }, context) => {
      const { name, value, allowedHosts } = input;
      const secret = readSecret({ name, value, allowedHosts });
      // The digest that is kept for repeated calls must not allow guessing the value.
      const kept = { ...input, value: context.vault.fingerprint(value) };
      const secretId = await withIdempotencyKey(context, 'setSecret', kept, (em) =>
        setSecret(em, context.vault, auditedBy(context), secret),
      );
      return { secretId };
    },
  },
  {
    description: 'The secret that was stored.',
    outputFields: (t) => ({
      secret: t.field({
        type: SecretRef,
        nullable: true,
        description: 'The secret, without its value; null in the response to a repeated call if it was deleted since.',
        resolve: ({ secretId }, _arguments, { em }) => secretRows(em).where('id', '=', secretId).executeTakeFirst(),
      }),
    }),
  },
);

builder.relayMutationField(
  'deleteSecret',
  {
    description: 'The secret to delete.',
    inputFields: (t) => ({
      name: t.string({ required: true, description: 'The name of the secret.' }),
      idempotencyKey: t.string(IDEMPOTENCY_KEY),
    }),
  },
  {
    description: 'Deletes a secret. Admins only. Runs of tasks that refer to it fail from then on.',
    authScopes: { admin: true },
    resolve: async (_root, { input }, context) => {
      const name = readSecretName(input.name);
      await withIdempotencyKey(context, 'deleteSecret', input, (em) => deleteSecret(em, auditedBy(context), name));
      return { name };
    },
  },
  {
    description: 'The secret that was deleted.',
    outputFields: (t) => ({ name: t.exposeString('name', { nullable: true, description: 'The name of the secret.' }) }),
  },
);
