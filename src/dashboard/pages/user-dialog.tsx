import { useState } from 'react';
import { Dialog, Field, submitting, Unplaced, useSending } from '../editor/form-parts.tsx';
import { AddUserDocument, type Role, UpdateUserDocument } from '../operations.ts';
import { useSession } from '../session/context.ts';
import type { User } from './listed-user.ts';

const ROLES: Record<Role, string> = {
  VIEWER: 'Viewer: read only',
  OPERATOR: 'Operator: changes own tasks',
  ADMIN: 'Admin: everything',
};

export function RoleSelect({ value, onChange, ...ties }: { value: Role; onChange: (role: Role) => void }) {
  return (
    <select {...ties} value={value} onChange={({ target }) => onChange(target.value as Role)}>
      {Object.entries(ROLES).map(([role, text]) => (
        <option key={role} value={role}>
          {text}
        </option>
      ))}
    </select>
  );
}

interface EditUserProps {
  /** Null to add a user. */
  user: User | null;
  onDone: () => void;
  onClose: () => void;
}

/** Adds a user or changes one. */
export function EditUser({ user, onDone, onClose }: EditUserProps) {
  const { client, viewer } = useSession();
  const [name, setName] = useState(user?.name ?? '');
  const [role, setRole] = useState<Role>(user?.role ?? 'OPERATOR');
  const [legacyId, setLegacyId] = useState('');
  const [isDisabled, setDisabled] = useState(user?.disabledAt != null);
  const { faults, isBusy, send } = useSending();
  const isOther = user !== null && (role !== user.role || (isDisabled && user.disabledAt === null));
  const add = () =>
    client.mutation(AddUserDocument, {
      input: { name: name.trim(), role, legacyId: legacyId === '' ? null : Number(legacyId) },
    });
  const update = (id: string) =>
    client.mutation(UpdateUserDocument, {
      input: { user: id, name: name.trim(), role, disabled: isDisabled },
    });
  const submit = async () => {
    const answer = user === null ? await send(add) : await send(() => update(user.id));
    if (answer === null) return;
    // A new role of the viewer's own opens other pages.
    if (isOther && user?.id === viewer.id) return location.reload();
    onDone();
    onClose();
  };
  return (
    <Dialog title={user === null ? 'Add user' : `Change ${user.name}`} onClose={onClose}>
      <form onSubmit={submitting(submit)}>
        <Field label="Name" fault={faults.byField.get('input.name')}>
          {(ties) => (
            <input
              {...ties}
              value={name}
              required
              maxLength={255}
              autoComplete="off"
              onChange={({ target }) => setName(target.value)}
            />
          )}
        </Field>
        <Field
          label="Role"
          hint={
            isOther ? 'Takes effect at once: open connections are closed, and the user must sign in again.' : undefined
          }
          fault={faults.byField.get('input.role')}
        >
          {(ties) => <RoleSelect {...ties} value={role} onChange={setRole} />}
        </Field>
        {user !== null && (
          <label className="check">
            <input type="checkbox" checked={isDisabled} onChange={({ target }) => setDisabled(target.checked)} />
            Disabled: their keys stop working; their tasks keep running
          </label>
        )}
        {isOther && user.id === viewer.id && (
          <p className="notice">This is your own account: you will lose access to this page.</p>
        )}
        {user === null && (
          <Field
            label="user_id of the old API"
            hint="Only for a user that old callers already know. Defaults to the next free id."
            fault={faults.byField.get('input.legacyId')}
          >
            {(ties) => (
              <input
                {...ties}
                type="number"
                min={1}
                max={2_147_483_647}
                value={legacyId}
                onChange={({ target }) => setLegacyId(target.value)}
              />
            )}
          </Field>
        )}
        <Unplaced faults={faults} placed={['input.name', 'input.role', 'input.legacyId']} />
        <div className="buttons">
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" className="primary" disabled={isBusy}>
            {user === null ? 'Add' : 'Save'}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
