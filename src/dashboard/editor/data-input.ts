// What all inputs of a data form share: their props, and how faults reach them.
import type { DataField } from './data-fields.ts';
import type { DataFault, Draft } from './data-form.ts';

export interface DataInputProps {
  field: DataField;
  draft: Draft;
  /** With paths relative to the field. */
  faults: readonly DataFault[];
  onChange: (draft: Draft) => void;
  /** Replaces the label of the field. */
  label?: string;
  isRequired?: boolean;
}

/** The faults below a key, with paths relative to it. */
export function below(faults: readonly DataFault[], key: string | number): readonly DataFault[] {
  return faults
    .filter(({ path: [first] }) => first !== undefined && String(first) === String(key))
    .map((fault) => ({ ...fault, path: fault.path.slice(1) }));
}

export function messageOf(faults: readonly DataFault[]): string | undefined {
  return faults.length === 0 ? undefined : [...new Set(faults.map(({ message }) => message))].join(' ');
}
