// What forms are made of.
import type { CombinedError, OperationResult, OperationResultSource } from '@urql/core';
import { type FormEvent, type ReactNode, useCallback, useEffect, useId, useRef, useState } from 'react';
import { Failure } from '../parts/parts.tsx';

/** What the server finds wrong: by the path of the input, such as `input.repeatItems.0.hour`, and what belongs to none. */
export interface Faults {
  byField: ReadonlyMap<string, string>;
  other: string | null;
}

export const NO_FAULTS: Faults = { byField: new Map(), other: null };

/** Errors that name a field belong there; what a form has no place for it must show beside `other`. */
export function faultsOf(error: CombinedError | undefined): Faults {
  if (error === undefined) return NO_FAULTS;
  if (error.networkError)
    return { byField: new Map(), other: 'The server cannot be reached; nothing is known to have changed.' };
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

/** Sends what a form holds, and keeps what the server finds wrong. `send` resolves with the answer; null for a refusal. */
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

/** For `onSubmit`: the page stays, and does this. */
export function submitting(work: () => Promise<unknown>) {
  return (event: FormEvent) => {
    event.preventDefault();
    void work();
  };
}

/** What is wrong and has no field of its own in the form. */
export function Unplaced({ faults, placed }: { faults: Faults; placed: readonly string[] }) {
  const rest = [...faults.byField].filter(([field]) => !placed.includes(field)).map((fault) => fault.join(': '));
  return <Failure message={[...(faults.other === null ? [] : [faults.other]), ...rest].join(' ')} />;
}

/** `input.repeatItems.0.hour` of a value that is not of its type, which GraphQL itself finds. */
function fieldOfType(message: string): string | undefined {
  return /^Variable .* at "([^"]*)"; /.exec(message)?.[1]?.replaceAll(/\[(\d+)\]/g, '.$1');
}

interface FieldProps {
  label: string;
  hint?: ReactNode;
  fault?: string | undefined;
  /** Gets what ties the input to its hint and its fault. */
  children: (ties: { id: string; 'aria-describedby': string | undefined; 'aria-invalid': boolean }) => ReactNode;
}

/** A labelled input with what it is for and what is wrong with it. */
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

/** Over the page until it is closed, by Escape too; the browser keeps the focus inside. */
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
