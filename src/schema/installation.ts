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
      description: 'Since when no task runs, whatever is due or asked for; null while tasks run.',
      resolve: ({ heldSince }) => heldSince,
    }),
    heldBecause: t.exposeString('heldBecause', { nullable: true, description: 'Why; null while tasks run.' }),
  }),
});

builder.queryField('installation', (t) =>
  t.field({
    type: InstallationRef,
    description: 'Whether its runners run, or are held because it was restored from a backup.',
    resolve: (_root, _arguments, { em }) => readInstallation(em),
  }),
);

const ResumeInstallationInput = builder.inputType('ResumeInstallationInput', {
  description: 'That this installation is the real one now.',
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
        description: 'As it is now.',
        resolve: ({ installation }) => installation,
      }),
    }),
  });

/** There is one installation; it stands for what `withIdempotencyKey` remembers. */
const THE_INSTALLATION = 1;

builder.mutationField('resumeInstallation', (t) =>
  t.field({
    type: ResumeInstallationPayload,
    nullable: true,
    authScopes: { admin: true },
    description:
      'Releases the runners that a restore has held: what is due is fired, what was under way is tried again or failed. Done again it changes nothing.',
    args: {
      input: t.arg({ type: ResumeInstallationInput, required: true, defaultValue: {}, description: 'All of it.' }),
    },
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
