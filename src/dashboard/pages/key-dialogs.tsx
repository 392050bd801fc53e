// A key is created, imported or revoked.
import { useState } from 'react';
import { Dialog, Field, submitting, Unplaced, useSending } from '../editor/form-parts.tsx';
import {
  CreateApiKeyDocument,
  ImportApiKeyDocument,
  RevokeApiKeyDocument,
  type Role,
  RotateApiKeyDocument,
} from '../operations.ts';
import { useSession } from '../session/context.ts';
import type { User } from './listed-user.ts';
import { RoleSelect } from './user-dialog.tsx';

interface DialogProps {
  onDone: () => void;
  onClose: () => void;
}

/** For how long a key that is replaced goes on opening, in seconds. */
const OVERLAPS: Record<string, number> = { 'An hour': 3_600, 'A day': 86_400, 'A week': 604_800, 'Not at all': 0 };

/** A new key, or one in place of a former one. Shows the secret this once. */
export function CreateKey({ user, former, onDone, onClose }: DialogProps & { user: User; former?: string }) {
  const { client } = useSession();
  const { faults, isBusy, send } = useSending();
  // Sent twice, by a network that repeats, it makes one key.
  const [idempotencyKey] = useState(() => crypto.randomUUID());
  const [made, setMade] = useState<{ key: string; secret: string | null } | null>(null);
  const [overlapSeconds, setOverlap] = useState(86_400);
  const create = async () => {
    const answer = await send(() =>
      client.mutation(CreateApiKeyDocument, { input: { user: user.id, idempotencyKey } }),
    );
    return answer?.data?.createApiKey;
  };
  const replace = async (key: string) => {
    const input = { key, overlapSeconds, idempotencyKey };
    return (await send(() => client.mutation(RotateApiKeyDocument, { input })))?.data?.rotateApiKey;
  };
  const make = async () => {
    const payload = await (former === undefined ? create() : replace(former));
    if (!payload?.apiKey) return;
    setMade({ key: payload.apiKey.key, secret: payload.secret ?? null });
    onDone();
  };
  if (made === null) {
    return (
      <Dialog title={former === undefined ? `Create key for ${user.name}` : `Replace ${former}`} onClose={onClose}>
        <div className="stack">
          <p>
            Whoever has the key and its secret is {user.name} for every door of the server. The secret is shown once, in
            the next step.
          </p>
          {former !== undefined && (
            <Field label="The former key opens for" fault={faults.byField.get('input.overlapSeconds')}>
              {(ties) => (
                <select {...ties} value={overlapSeconds} onChange={({ target }) => setOverlap(Number(target.value))}>
                  {Object.entries(OVERLAPS).map(([text, seconds]) => (
                    <option key={seconds} value={seconds}>
                      {text}
                    </option>
                  ))}
                </select>
              )}
            </Field>
          )}
          <Unplaced faults={faults} placed={['input.overlapSeconds']} />
          <div className="buttons">
            <button type="button" onClick={onClose}>
              Cancel
            </button>
            <button type="button" className="primary" disabled={isBusy} onClick={() => void make()}>
              {former === undefined ? 'Create' : 'Replace'}
            </button>
          </div>
        </div>
      </Dialog>
    );
  }
  return (
    <Dialog title={`Key of ${user.name}`} onClose={onClose}>
      <div className="stack">
        <Copyable label="Key" value={made.key} />
        {made.secret === null ? (
          <p className="failure" role="alert">
            An earlier try made this key and its answer was lost, and the secret with it. Revoke the key and create
            another.
          </p>
        ) : (
          <>
            <Copyable label="Secret" value={made.secret} />
            <p className="notice">Copy the secret now: it is never shown again.</p>
          </>
        )}
        <div className="buttons">
          <button type="button" className="primary" onClick={onClose}>
            {made.secret === null ? 'Close' : 'I have stored it'}
          </button>
        </div>
      </div>
    </Dialog>
  );
}

function Copyable({ label, value }: { label: string; value: string }) {
  const [told, setTold] = useState('Copy');
  return (
    <Field label={label}>
      {(ties) => (
        <div className="copy">
          <input {...ties} readOnly value={value} onFocus={({ target }) => target.select()} />
          <button
            type="button"
            onClick={({ currentTarget }) =>
              void copy(value, currentTarget.parentElement?.querySelector('input')).then((isCopied) =>
                setTold(isCopied ? 'Copied' : 'Press Ctrl+C'),
              )
            }
          >
            {told}
            <span className="hidden"> {label.toLowerCase()}</span>
          </button>
        </div>
      )}
    </Field>
  );
}

/** Over plain HTTP browsers give no clipboard: there the text is selected, to be copied by hand. */
async function copy(text: string, input: HTMLInputElement | null | undefined): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    input?.select();
    return false;
  }
}

/** To be confirmed by the key itself; with more care where it is the one that whoever looks has signed in with. */
export function RevokeKey({ user, apiKey, onDone, onClose }: DialogProps & { user: User; apiKey: string }) {
  const { client, apiKey: own, signOut } = useSession();
  const { faults, isBusy, send } = useSending();
  const [typed, setTyped] = useState('');
  const [isSure, setSure] = useState(false);
  const isOwn = apiKey === own;
  const revoke = async () => {
    if (!(await send(() => client.mutation(RevokeApiKeyDocument, { key: apiKey })))) return;
    if (isOwn) return signOut('You have revoked the key that you were signed in with.');
    onDone();
    onClose();
  };
  return (
    <Dialog title="Revoke key" onClose={onClose}>
      <form onSubmit={submitting(revoke)}>
        <p>
          <code>{apiKey}</code> of {user.name} opens nothing from then on, in GraphQL or api.php; what is open with it
          ends. It cannot be undone.
        </p>
        {isOwn && (
          <>
            <p className="notice">You are signed in with this key, and will be signed out.</p>
            <label className="check">
              <input type="checkbox" checked={isSure} onChange={({ target }) => setSure(target.checked)} />I have
              another key to come in with
            </label>
          </>
        )}
        <Field label="Type the key to confirm" fault={faults.byField.get('input.key')}>
          {(ties) => (
            <input
              {...ties}
              value={typed}
              autoComplete="off"
              spellCheck={false}
              onChange={({ target }) => setTyped(target.value)}
            />
          )}
        </Field>
        <Unplaced faults={faults} placed={['input.key']} />
        <div className="buttons">
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" className="danger" disabled={isBusy || typed.trim() !== apiKey || (isOwn && !isSure)}>
            Revoke
          </button>
        </div>
      </form>
    </Dialog>
  );
}

/** Lets callers of the old installation in with what they have. */
export function ImportKey({ onDone, onClose }: DialogProps) {
  const { client } = useSession();
  const { faults, isBusy, send } = useSending();
  const [key, setKey] = useState('');
  const [secret, setSecret] = useState('');
  const [userId, setUserId] = useState('');
  const [userName, setUserName] = useState('');
  const [role, setRole] = useState<Role>('OPERATOR');
  const submit = async () => {
    const input = {
      key: key.trim(),
      secret: secret.trim(),
      userLegacyId: Number(userId),
      userName: userName.trim() === '' ? null : userName.trim(),
      role,
    };
    if (!(await send(() => client.mutation(ImportApiKeyDocument, { input })))) return;
    onDone();
    onClose();
  };
  const fault = (field: string) => faults.byField.get(`input.${field}`);
  return (
    <Dialog title="Import key of the old installation" onClose={onClose}>
      <form onSubmit={submitting(submit)}>
        <p className="quiet">Callers go on with the key, secret and user_id that they have.</p>
        <Field label="Key" fault={fault('key')}>
          {(ties) => (
            <input
              {...ties}
              required
              value={key}
              autoComplete="off"
              spellCheck={false}
              onChange={({ target }) => setKey(target.value)}
            />
          )}
        </Field>
        <Field label="Secret" fault={fault('secret')}>
          {(ties) => (
            <input
              {...ties}
              type="password"
              required
              value={secret}
              autoComplete="new-password"
              onChange={({ target }) => setSecret(target.value)}
            />
          )}
        </Field>
        <Field label="user_id" fault={fault('userLegacyId')}>
          {(ties) => (
            <input
              {...ties}
              type="number"
              required
              min={1}
              max={2_147_483_647}
              value={userId}
              onChange={({ target }) => setUserId(target.value)}
            />
          )}
        </Field>
        <Field label="Name" hint="Needed for a user that there is not yet." fault={fault('userName')}>
          {(ties) => (
            <input
              {...ties}
              value={userName}
              maxLength={255}
              autoComplete="off"
              onChange={({ target }) => setUserName(target.value)}
            />
          )}
        </Field>
        <Field label="Role" hint="For a user that there is not yet; others keep theirs." fault={fault('role')}>
          {(ties) => <RoleSelect {...ties} value={role} onChange={setRole} />}
        </Field>
        <Unplaced
          faults={faults}
          placed={['key', 'secret', 'userLegacyId', 'userName', 'role'].map((field) => `input.${field}`)}
        />
        <div className="buttons">
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" className="primary" disabled={isBusy}>
            Import
          </button>
        </div>
      </form>
    </Dialog>
  );
}
