// The rows of a list or a table in a data form.
import type { ReactNode } from 'react';
import { Fault } from './editor-parts.tsx';

interface Row {
  /** Unique in its list, and stable while rows are added and removed. */
  id: number;
}

interface RowsProps<Each extends Row> {
  label: string;
  hint: string | null;
  fault: string | undefined;
  rows: readonly Each[];
  /** What the Remove button of a row removes, for screen readers. */
  nameOf: (row: Each, index: number) => string;
  /** A new row with this id. */
  newRow: (id: number) => Each;
  onChange: (rows: readonly Each[]) => void;
  children: (row: Each, index: number) => ReactNode;
}

/** A fieldset of rows that can be added and removed. */
export function Rows<Each extends Row>(props: RowsProps<Each>) {
  const { label, hint, fault, rows, nameOf, newRow, onChange, children } = props;
  const nextId = Math.max(0, ...rows.map(({ id }) => id)) + 1;
  return (
    <Part label={label} hint={hint}>
      <Fault>{fault}</Fault>
      {rows.map((row, index) => (
        <div className="row" key={row.id}>
          {children(row, index)}
          <button type="button" onClick={() => onChange(rows.toSpliced(index, 1))}>
            Remove<span className="hidden">: {nameOf(row, index)}</span>
          </button>
        </div>
      ))}
      <button type="button" onClick={() => onChange([...rows, newRow(nextId)])}>
        Add<span className="hidden"> to {label}</span>
      </button>
    </Part>
  );
}

interface PartProps {
  label: string;
  hint: string | null;
  children: ReactNode;
}

/** A fieldset with a hint. */
export function Part({ label, hint, children }: PartProps) {
  return (
    <fieldset className="part">
      <legend>{label}</legend>
      {hint !== null && <p className="hint">{hint}</p>}
      {children}
    </fieldset>
  );
}
