import type { CombinedError } from '@urql/core';
import { useRef, useState } from 'react';
import { AddTaskDocument, EditedTaskDocument, UpdateTaskDocument } from '../operations.ts';
import { useSession } from '../session/context.ts';
import { faultsOf } from './form-parts.tsx';
import { type FormFaults, placeFaults } from './task-faults.ts';
import { addInput, type EditableClasses, type TaskForm, updateInput, type Values, valuesOf } from './task-form.ts';
import type { EditedTask } from './task-policy.ts';

/** What a task was when the editor began, or when a conflict was resolved. */
export interface Base {
  id: string;
  version: number;
  values: Values;
}

export type Saved =
  | { is: 'saved'; id: string }
  | { is: 'refused'; faults: FormFaults }
  /** Somebody saved it first. */
  | { is: 'conflict'; mine: Values; theirs: EditedTask }
  | { is: 'gone' };

/**
 * Saves what a form says. What is sent again unchanged, such as after a failure of the network, has the same idempotency
 * key and so is done once. At any time one save is under way; another meanwhile is null.
 */
export function useSaving(classes: EditableClasses) {
  const { client } = useSession();
  const [isSaving, setIsSaving] = useState(false);
  const underWay = useRef(false);
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
    // Data that are as they were are not sent, whatever is wrong with them.
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
    if (!isMoved(error)) return refused(error);
    const now = await client.query(EditedTaskDocument, { id: base.id }).toPromise();
    if (now.error) return refused(now.error);
    const theirs = now.data?.task ?? null;
    return theirs === null || theirs.deletedAt ? { is: 'gone' } : { is: 'conflict', mine: values, theirs };
  };

  const save = async (form: TaskForm, base: Base | null): Promise<Saved | null> => {
    if (underWay.current) return null;
    underWay.current = true;
    setIsSaving(true);
    try {
      return await send(form, base);
    } finally {
      underWay.current = false;
      setIsSaving(false);
    }
  };
  return { save, isSaving };
}

function changes(values: Values, base: Base) {
  const all = updateInput(values, base.values);
  return { all, data: all.data !== undefined || all.dataText !== undefined };
}

/** Whether the task is not any more what the editor began with. */
function isMoved({ graphQLErrors }: CombinedError): boolean {
  return graphQLErrors.some(
    ({ extensions: { code, field } }) =>
      (code === 'CONFLICT' && field === 'input.expectedVersion') || (code === 'NOT_FOUND' && field === 'input.task'),
  );
}
