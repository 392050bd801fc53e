// The dialogs that create, replace, revoke and import an API key.
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

/** How long a replaced key stays valid, in seconds. */
const OVERLAPS: Record<string, number> = { '1 hour': 3_600, '1 day': 86_400, '1 week': 604_800, 'Revoke it now': 0 };

/** Creates a key, or replaces the `former` one. The secret is shown once. */
export function CreateKey({ user, former, onDone, onClose }: DialogProps & { user: User; former?: string }) {
  const { client } = useSession();
  const { faults, isBusy, send } = useSending();
  // A request that the network repeats creates one key.
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
            Anyone with the key and its secret acts as {user.name}, in GraphQL and in api.php. The secret is shown once,
            in the next step.
          </p>
          {former !== undefined && (
            <Field label="Old key stays valid for" fault={faults.byField.get('input.overlapSeconds')}>
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
            An earlier request created this key, but its response was lost, and the secret with it. Revoke the key and
            create another.
          </p>
        ) : (
          <>
            <Copyable label="Secret" value={made.secret} />
            <p className="notice">Copy the secret now. It cannot be shown again.</p>
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
  const [text, setText] = useState('Copy');
  return (
    <Field label={label}>
      {(ties) => (
        <div className="copy">
          <input {...ties} readOnly value={value} onFocus={({ target }) => target.select()} />
          <button
            type="button"
            onClick={({ currentTarget }) =>
              void copy(value, currentTarget.parentElement?.querySelector('input')).then((isCopied) =>
                setText(isCopied ? 'Copied' : 'Press Ctrl+C'),
              )
            }
          >
            {text}
            <span className="hidden"> {label.toLowerCase()}</span>
          </button>
        </div>
      )}
    </Field>
  );
}

/** Returns whether it was copied. Over plain HTTP there is no clipboard: the text is selected, to be copied by hand. */
async function copy(text: string, input: HTMLInputElement | null | undefined): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    input?.select();
    return false;
  }
}

/** The user confirms by typing the key, and by a check box too for the key that they signed in with. */
export function RevokeKey({ user, apiKey, onDone, onClose }: DialogProps & { user: User; apiKey: string }) {
  const { client, apiKey: own, signOut } = useSession();
  const { faults, isBusy, send } = useSending();
  const [typed, setTyped] = useState('');
  const [isSure, setSure] = useState(false);
  const isOwn = apiKey === own;
  const revoke = async () => {
    if (!(await send(() => client.mutation(RevokeApiKeyDocument, { key: apiKey })))) return;
    if (isOwn) return signOut('You revoked the key that you were signed in with.');
    onDone();
    onClose();
  };
  return (
    <Dialog title="Revoke key" onClose={onClose}>
      <form onSubmit={submitting(revoke)}>
        <p>
          <code>{apiKey}</code> of {user.name} stops working at once, in GraphQL and in api.php, and its open
          connections are closed. This cannot be undone.
        </p>
        {isOwn && (
          <>
            <p className="notice">You are signed in with this key and will be signed out.</p>
            <label className="check">
              <input type="checkbox" checked={isSure} onChange={({ target }) => setSure(target.checked)} />I have
              another key to sign in with
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

/** Imports a key of the old installation, so that its callers need no change. */
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
    <Dialog title="Import key from the old installation" onClose={onClose}>
      <form onSubmit={submitting(submit)}>
        <p className="quiet">Callers keep their key, secret and user_id.</p>
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
        <Field label="Name" hint="Required for a new user." fault={fault('userName')}>
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
        <Field label="Role" hint="For a new user. An existing user keeps their role." fault={fault('role')}>
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
