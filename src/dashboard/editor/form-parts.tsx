// The parts of forms: fields, dialogs, and the handling of errors from the server.
import type { CombinedError, OperationResult, OperationResultSource } from '@urql/core';
import { type FormEvent, type ReactNode, useCallback, useEffect, useId, useRef, useState } from 'react';
import { Failure } from '../parts/parts.tsx';

/** The server's errors: by the path of the input, such as `input.repeatItems.0.hour`, and those without a path. */
export interface Faults {
  byField: ReadonlyMap<string, string>;
  other: string | null;
}

export const NO_FAULTS: Faults = { byField: new Map(), other: null };

/** Sorts errors by the field that they name. A form must show those that it has no field for together with `other`. */
export function faultsOf(error: CombinedError | undefined): Faults {
  if (error === undefined) return NO_FAULTS;
  if (error.networkError)
    return { byField: new Map(), other: 'The server cannot be reached; the change may not have been made.' };
  const byField = new Map<string, string>();
  const other: string[] = [];
  for (const { message, extensions } of error.graphQLErrors) {
    const field = extensions.field ?? fieldOfType(message);
    if (typeof field === 'string') {
      byField.set(field, message.replace(`${field}: `, '').replace(/^Variable .* at "[^"]*"; /, ''));
    } else other.push(message);
  }
  return { byField, other: other.length === 0 ? null : other.join(' ') };
}

/** Sends a form and keeps the errors of the server. `send` resolves with the answer, or with null if it was refused. */
export function useSending() {
  const [faults, setFaults] = useState(NO_FAULTS);
  const [isBusy, setBusy] = useState(false);
  const send = useCallback(
    async <Answer extends OperationResult>(ask: () => OperationResultSource<Answer>): Promise<Answer | null> => {
      setBusy(true);
      const answer = await ask().toPromise();
      setBusy(false);
      setFaults(faultsOf(answer.error));
      return answer.error === undefined ? answer : null;
    },
    [],
  );
  return { faults, isBusy, send };
}

/** An `onSubmit` handler that does `work` instead of leaving the page. */
export function submitting(work: () => Promise<unknown>) {
  return (event: FormEvent) => {
    event.preventDefault();
    void work();
  };
}

/** Shows the errors that have no field of their own in the form. `placed` are the fields that it has. */
export function Unplaced({ faults, placed }: { faults: Faults; placed: readonly string[] }) {
  const rest = [...faults.byField].filter(([field]) => !placed.includes(field)).map((fault) => fault.join(': '));
  return <Failure message={[...(faults.other === null ? [] : [faults.other]), ...rest].join(' ')} />;
}

/** The path of a value of the wrong type, such as `input.repeatItems.0.hour`, from GraphQL's own message. */
function fieldOfType(message: string): string | undefined {
  return /^Variable .* at "([^"]*)"; /.exec(message)?.[1]?.replaceAll(/\[(\d+)\]/g, '.$1');
}

/** The attributes that link an input to its label, hint and fault. */
export interface Ties {
  id: string;
  'aria-describedby': string | undefined;
  'aria-invalid': boolean;
}

interface FieldProps {
  label: string;
  hint?: ReactNode;
  fault?: string | undefined;
  /** Renders the input. */
  children: (ties: Ties) => ReactNode;
}

/** A labelled input with a hint and an error message. */
export function Field({ label, hint, fault, children }: FieldProps) {
  const id = useId();
  const described = [hint ? `${id}-hint` : '', fault ? `${id}-fault` : ''].filter((each) => each !== '').join(' ');
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {children({ id, 'aria-describedby': described || undefined, 'aria-invalid': fault !== undefined })}
      {hint && (
        <p className="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
      {fault && (
        <p className="fault" id={`${id}-fault`} role="alert">
          {fault}
        </p>
      )}
    </div>
  );
}

interface DialogProps {
  title: string;
  onClose: () => void;
  children: ReactNode;
}

/** A modal dialog. Escape closes it, too; the browser keeps the focus inside. */
export function Dialog({ title, onClose, children }: DialogProps) {
  const id = useId();
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const shown = dialog.current;
    shown?.showModal();
    return () => shown?.close();
  }, []);
  return (
    <dialog ref={dialog} aria-labelledby={id} onCancel={onClose}>
      <h2 id={id}>{title}</h2>
      {children}
    </dialog>
  );
}
