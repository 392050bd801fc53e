import type { CombinedError } from '@urql/core';
import { useRef, useState } from 'react';
import { AddTaskDocument, EditedTaskDocument, UpdateTaskDocument } from '../operations.ts';
import { useSession } from '../session/context.ts';
import type { EditableClasses } from './editable-classes.ts';
import { faultsOf } from './form-parts.tsx';
import { type FormFaults, placeFaults } from './task-faults.ts';
import { type TaskForm, valuesOf } from './task-form.ts';
import { addInput, updateInput } from './task-input.ts';
import type { EditedTask } from './task-policy.ts';
import type { Values } from './task-values.ts';

/** The saved version of a task that the user edits: from when the editor was opened, or a conflict resolved. */
export interface Base {
  id: string;
  version: number;
  values: Values;
}

/** Another user has saved the task since `base`. */
export interface Conflict {
  base: Base;
  mine: Values;
  theirs: EditedTask;
}

export type Saved =
  | { is: 'saved'; id: string }
  | { is: 'refused'; faults: FormFaults }
  | { is: 'conflict'; conflict: Conflict }
  | { is: 'deleted' };

/**
 * Saves a form. The same input sent again, such as after a network error, has the same idempotency key and so takes
 * effect once. Only one save runs at a time: a second one meanwhile resolves with null.
 */
export function useSaving(classes: EditableClasses) {
  const { client } = useSession();
  const [isSaving, setIsSaving] = useState(false);
  // `isSaving` is for rendering; only a ref blocks a second submit before the next render.
  const isRunning = useRef(false);
  const sent = useRef({ input: '', key: '' });

  const keyOf = (input: unknown): string => {
    const text = JSON.stringify(input);
    if (sent.current.input !== text) sent.current = { input: text, key: crypto.randomUUID() };
    return sent.current.key;
  };

  const send = async (form: TaskForm, base: Base | null): Promise<Saved> => {
    const { values, faults } = valuesOf(form, classes, base === null);
    const refused = (error: CombinedError | undefined): Saved => ({
      is: 'refused',
      faults: placeFaults(faultsOf(error), form.rules),
    });
    // Unchanged data are not sent, so their faults do not count.
    const data =
      base !== null && values.className === base.values.className && !changes(values, base).data ? [] : faults.data;
    if (faults.byField.size > 0 || data.length > 0) return { is: 'refused', faults: { ...faults, data } };
    if (base === null) {
      const input = addInput(values);
      const reply = await client
        .mutation(AddTaskDocument, { input: { ...input, idempotencyKey: keyOf(input) } })
        .toPromise();
      const id = reply.data?.addTask?.task?.id;
      return id === undefined ? refused(reply.error) : { is: 'saved', id };
    }
    const { all } = changes(values, base);
    if (Object.keys(all).length === 0) return { is: 'saved', id: base.id };
    const input = { task: { id: base.id }, expectedVersion: base.version, ...all };
    const { error } = await client
      .mutation(UpdateTaskDocument, { input: { ...input, idempotencyKey: keyOf(input) } })
      .toPromise();
    if (error === undefined) return { is: 'saved', id: base.id };
    if (!isOutdated(error)) return refused(error);
    const now = await client.query(EditedTaskDocument, { id: base.id }).toPromise();
    if (now.error) return refused(now.error);
    const theirs = now.data?.task ?? null;
    if (theirs === null || theirs.deletedAt) return { is: 'deleted' };
    return { is: 'conflict', conflict: { base, mine: values, theirs } };
  };

  const save = async (form: TaskForm, base: Base | null): Promise<Saved | null> => {
    if (isRunning.current) return null;
    isRunning.current = true;
    setIsSaving(true);
    try {
      return await send(form, base);
    } finally {
      isRunning.current = false;
      setIsSaving(false);
    }
  };
  return { save, isSaving };
}

function changes(values: Values, base: Base) {
  const all = updateInput(values, base.values);
  return { all, data: all.data !== undefined || all.dataText !== undefined };
}

/** Whether the task is no longer the version that was edited. */
function isOutdated({ graphQLErrors }: CombinedError): boolean {
  return graphQLErrors.some(
    ({ extensions: { code, field } }) =>
      (code === 'CONFLICT' && field === 'input.expectedVersion') || (code === 'NOT_FOUND' && field === 'input.task'),
  );
}
