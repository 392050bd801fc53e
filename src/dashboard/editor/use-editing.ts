import { useState } from 'react';
import { useLocation } from 'wouter';
import type { EditableClasses } from './editable-classes.ts';
import { mergedValues } from './task-differences.ts';
import type { FormFaults } from './task-faults.ts';
import { formOf, type TaskForm } from './task-form.ts';
import type { EditedTask } from './task-policy.ts';
import { type Values, valuesOfTask } from './task-values.ts';
import { type Base, type Conflict, useSaving } from './use-saving.ts';

export interface EditedProps {
  classes: EditableClasses;
  /** The task to change; null for a new one. */
  task: EditedTask | null;
  /** The values that the form starts with. */
  initial: Values;
}

export type Editing = ReturnType<typeof useEditing>;

const NO_FAULTS: FormFaults = { byField: new Map(), data: [], other: null };

/** The state of a task editor, and what the user can do in it. */
export function useEditing({ classes, task, initial }: EditedProps) {
  const [begun] = useState(() => formOf(initial, classes));
  const [form, setForm] = useState(begun);
  /** Null for a new task. */
  const [base, setBase] = useState<Base | null>(task && { id: task.id, version: task.version, values: initial });
  const [faults, setFaults] = useState(NO_FAULTS);
  const [conflict, setConflict] = useState<Conflict | null>(null);
  const [isDeleted, setIsDeleted] = useState(false);
  /** How many attempts to save have failed. */
  const [failures, setFailures] = useState(0);
  const [, navigate] = useLocation();
  const { save, isSaving } = useSaving(classes);

  const submit = async (typed: TaskForm, from: Base | null) => {
    const outcome = await save(typed, from);
    if (outcome === null) return;
    setConflict(outcome.is === 'conflict' ? outcome.conflict : null);
    setIsDeleted(outcome.is === 'deleted');
    if (outcome.is === 'saved') return navigate(`/tasks/${encodeURIComponent(outcome.id)}`);
    setFaults(outcome.is === 'refused' ? outcome.faults : NO_FAULTS);
    setFailures((count) => count + 1);
  };
  /** Changes fields, and clears the faults whose path starts with `faultPrefix`. */
  const change = (part: Partial<TaskForm>, faultPrefix: string) => {
    setForm((before) => ({ ...before, ...part }));
    setFaults((before) => without(before, faultPrefix));
  };
  /** Resolves a conflict: takes the saved version of the parts in `taken`. */
  const resolve = ({ base: before, mine, theirs }: Conflict, taken: ReadonlySet<string>) => {
    const saved = valuesOfTask(theirs);
    const merged = formOf(mergedValues(mine, saved, taken), classes);
    const next = { ...before, version: theirs.version, values: saved };
    setForm(merged);
    setBase(next);
    return { merged, next };
  };
  return {
    form,
    base,
    faults,
    conflict,
    isDeleted,
    failures,
    isSaving,
    isDirty: JSON.stringify(form) !== JSON.stringify(begun),
    change,
    save: () => void submit(form, base),
    saveResolved: (resolved: Conflict, taken: ReadonlySet<string>) => {
      const { merged, next } = resolve(resolved, taken);
      void submit(merged, next);
    },
    editResolved: (resolved: Conflict, taken: ReadonlySet<string>) => {
      resolve(resolved, taken);
      setConflict(null);
    },
    /** Continues with a new task in place of the deleted one. */
    keepAsNew: () => {
      setBase(null);
      setIsDeleted(false);
    },
  };
}

function without(faults: FormFaults, prefix: string): FormFaults {
  if (faults === NO_FAULTS) return faults;
  const left = [...faults.byField].filter(([field]) => !field.startsWith(prefix));
  return { ...faults, byField: new Map(left), data: prefix === 'input.data' ? [] : faults.data };
}
