import { useEffect, useState } from 'react';
import { whileCurrent } from '../live/while-current.ts';
import { OwnersDocument } from '../operations.ts';
import { useSession } from '../session/context.ts';
import { Field } from './form-parts.tsx';

interface OwnerFieldProps {
  /** The user's id in the old API, as typed. */
  value: string;
  isNew: boolean;
  fault: string | undefined;
  onChange: (value: string) => void;
}

/** The owner, for admins: only they may list users. It suggests the first few hundred by name. */
export function OwnerField({ value, isNew, fault, onChange }: OwnerFieldProps) {
  const { client } = useSession();
  const [users, setUsers] = useState<{ legacyId: number; name: string }[]>([]);
  useEffect(() => {
    return whileCurrent(async (signal) => {
      const { data } = await client.query(OwnersDocument, {}).toPromise();
      if (!signal.aborted && data !== undefined) setUsers(data.users.edges.map(({ node }) => node));
    });
  }, [client]);
  const name = users.find(({ legacyId }) => String(legacyId) === value.trim())?.name;
  return (
    <Field label="Owner (user id)" hint={name ?? (isNew ? 'Default: you.' : undefined)} fault={fault}>
      {(ties) => (
        <>
          <input
            {...ties}
            className="short"
            inputMode="numeric"
            autoComplete="off"
            list="owners"
            value={value}
            onChange={(event) => onChange(event.target.value)}
          />
          <datalist id="owners">
            {users.map(({ legacyId, name: option }) => (
              <option key={legacyId} value={legacyId}>
                {option}
              </option>
            ))}
          </datalist>
        </>
      )}
    </Field>
  );
}
