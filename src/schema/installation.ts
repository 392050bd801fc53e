// Whether a restored installation waits for the word that it is the real one now.
import { type InstallationState, readInstallation, resumeInstallation } from '../backup/installation.ts';
import { withIdempotencyKey } from '../database/idempotency.ts';
import { builder } from './builder.ts';
import { IDEMPOTENCY_KEY } from './idempotency-key.ts';
import { auditedBy } from './log/audit.ts';

const InstallationRef = builder.objectRef<InstallationState>('Installation').implement({
  description: 'This database and the processes that share it.',
  fields: (t) => ({
    heldSince: t.field({
      type: 'DateTime',
      nullable: true,
      description:
        'When task execution was held. While held, nothing runs, neither slots nor requests; null while tasks run.',
      resolve: ({ heldSince }) => heldSince,
    }),
    heldBecause: t.exposeString('heldBecause', {
      nullable: true,
      description: 'Why execution is held; null while tasks run.',
    }),
  }),
});

builder.queryField('installation', (t) =>
  t.field({
    type: InstallationRef,
    description: 'Whether task execution is on, or held because the installation was restored from a backup.',
    resolve: (_root, _arguments, { em }) => readInstallation(em),
  }),
);

const ResumeInstallationInput = builder.inputType('ResumeInstallationInput', {
  description: 'Confirms that this installation is the production one from now on.',
  fields: (t) => ({ idempotencyKey: t.string(IDEMPOTENCY_KEY) }),
});

const ResumeInstallationPayload = builder
  .objectRef<{ installation: InstallationState }>('ResumeInstallationPayload')
  .implement({
    description: 'The installation whose runners were released.',
    fields: (t) => ({
      installation: t.field({
        type: InstallationRef,
        nullable: true,
        description: 'The installation after the call.',
        resolve: ({ installation }) => installation,
      }),
    }),
  });

/** The single installation, as the object of idempotency keys. */
const THE_INSTALLATION = 1;

builder.mutationField('resumeInstallation', (t) =>
  t.field({
    type: ResumeInstallationPayload,
    nullable: true,
    authScopes: { admin: true },
    description:
      'Releases the runners that a restore holds: due slots fire, and interrupted runs are retried or fail. Repeating it changes nothing.',
    args: { input: t.arg({ type: ResumeInstallationInput, required: true, defaultValue: {} }) },
    resolve: async (_root, { input }, context) => {
      const { em, notifications } = context;
      await withIdempotencyKey(context, 'resumeInstallation', input, async (transaction) => {
        await resumeInstallation(transaction, auditedBy(context));
        return THE_INSTALLATION;
      });
      notifications.notify('slotkeeper_installation');
      return { installation: await readInstallation(em) };
    },
  }),
);
