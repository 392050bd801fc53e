import { type FormEvent, useEffect, useRef, useState } from 'react';
import { formatTime } from '../parts/format.ts';
import type { Difference } from './task-differences.ts';

interface TaskConflictProps {
  differences: readonly Difference[];
  /** When the other user saved. */
  savedAt: string;
  isSaving: boolean;
  /** `taken` has the keys of the parts for which the saved version was picked. */
  onSave: (taken: ReadonlySet<string>) => void;
  onEdit: (taken: ReadonlySet<string>) => void;
}

type Side = 'mine' | 'theirs';

const CHANGED_BY = { me: 'changed by you', them: 'changed by them', both: 'changed by both' };

/** Shows what differs when another user saved the task first, and lets the user pick a version of each part. */
export function TaskConflict({ differences, savedAt, isSaving, onSave, onEdit }: TaskConflictProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  const form = useRef<HTMLFormElement>(null);
  const [picked, setPicked] = useState<Readonly<Record<string, Side>>>({});
  useEffect(() => heading.current?.focus(), []);
  const sideOf = ({ key, changedBy }: Difference): Side | null =>
    picked[key] ?? (changedBy === 'both' ? null : changedBy === 'me' ? 'mine' : 'theirs');
  const taken = () => new Set(differences.filter((each) => sideOf(each) === 'theirs').map(({ key }) => key));
  const submit = (event: FormEvent) => {
    event.preventDefault();
    onSave(taken());
  };
  const cell = (difference: Difference, side: Side) => (
    <td className={side}>
      <label className="pick">
        <input
          type="radio"
          name={difference.key}
          required
          checked={sideOf(difference) === side}
          onChange={() => setPicked({ ...picked, [difference.key]: side })}
        />
        <span className="hidden">
          {difference.label}, {side === 'mine' ? 'yours' : 'saved'}:
        </span>
        <span className="value">{side === 'mine' ? difference.mine : difference.theirs}</span>
      </label>
    </td>
  );
  return (
    <form ref={form} className="conflict" onSubmit={submit}>
      <h2 ref={heading} tabIndex={-1}>
        Another user has saved this task
      </h2>
      <p>
        It was saved at {formatTime(savedAt)}, after you started editing. Your changes are not saved yet.{' '}
        {differences.length === 0 ? 'Both versions are the same.' : 'Pick a version of each part.'}
      </p>
      {differences.length > 0 && (
        <div className="scroll">
          <table>
            <caption className="hidden">What differs</caption>
            <thead>
              <tr>
                <th scope="col">Part</th>
                <th scope="col">Yours</th>
                <th scope="col">Saved</th>
              </tr>
            </thead>
            <tbody>
              {differences.map((difference) => (
                <tr key={difference.key}>
                  <th scope="row">
                    {difference.label} <span className="quiet">{CHANGED_BY[difference.changedBy]}</span>
                  </th>
                  {cell(difference, 'mine')}
                  {cell(difference, 'theirs')}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      <div className="buttons">
        <button type="submit" className="primary" aria-disabled={isSaving}>
          Save selection
        </button>
        <button type="button" onClick={() => form.current?.reportValidity() && onEdit(taken())}>
          Continue editing
        </button>
      </div>
    </form>
  );
}
