// The form of a task, new or not, with what becomes of it when it is saved.
import { type FormEvent, useEffect, useRef, useState } from 'react';
import { Link, useLocation } from 'wouter';
import { focusFirstFault } from './editor-parts.tsx';
import { LeavingGuard } from './leaving-guard.tsx';
import { TaskConflict } from './task-conflict.tsx';
import { differencesOf, mergedValues } from './task-differences.ts';
import type { FormFaults } from './task-faults.ts';
import { TaskFields } from './task-fields.tsx';
import { type EditableClasses, formOf, type TaskForm, type Values, valuesOfTask } from './task-form.ts';
import type { EditedTask } from './task-policy.ts';
import { type Base, useSaving } from './use-saving.ts';

const NO_FAULTS: FormFaults = { byField: new Map(), data: [], other: null };

interface TaskEditorProps {
  classes: EditableClasses;
  /** The task to change, null for a new one. */
  task: EditedTask | null;
  /** What a new one begins with. */
  initial: Values;
}

export function TaskEditor({ classes, task, initial }: TaskEditorProps) {
  const [begun] = useState(() => formOf(initial, classes));
  const [form, setForm] = useState(begun);
  const [base, setBase] = useState<Base | null>(task && { id: task.id, version: task.version, values: initial });
  const [faults, setFaults] = useState(NO_FAULTS);
  const [conflict, setConflict] = useState<{ mine: Values; theirs: EditedTask } | null>(null);
  const [isGone, setIsGone] = useState(false);
  const [, navigate] = useLocation();
  const { save, isSaving } = useSaving(classes);
  const element = useRef<HTMLFormElement>(null);
  // Faults that the last attempt to save has found get the focus, not those that remain while they are corrected.
  const isTold = useRef(true);
  const wasInConflict = useRef(false);
  useEffect(() => {
    if (wasInConflict.current && conflict === null) element.current?.querySelector('input')?.focus();
    wasInConflict.current = conflict !== null;
  }, [conflict]);
  useEffect(() => {
    if (isTold.current || faults === NO_FAULTS) return;
    isTold.current = true;
    focusFirstFault(element.current);
  }, [faults]);

  const submit = async (typed: TaskForm, from: Base | null) => {
    const outcome = await save(typed, from);
    if (outcome === null) return;
    setConflict(outcome.is === 'conflict' ? outcome : null);
    setIsGone(outcome.is === 'gone');
    if (outcome.is === 'saved') return navigate(`/tasks/${encodeURIComponent(outcome.id)}`);
    isTold.current = false;
    setFaults(outcome.is === 'refused' ? outcome.faults : { ...NO_FAULTS });
  };
  const change = (part: Partial<TaskForm>, faultPrefix: string) => {
    setForm((before) => ({ ...before, ...part }));
    setFaults((before) => without(before, faultPrefix));
  };
  const resolve = (taken: ReadonlySet<string>) => {
    if (conflict === null || base === null) throw new Error('there is no conflict');
    const theirs = valuesOfTask(conflict.theirs);
    const merged = formOf(mergedValues(conflict.mine, theirs, taken), classes);
    const next = { ...base, version: conflict.theirs.version, values: theirs };
    setForm(merged);
    setBase(next);
    return { merged, next };
  };
  const isDirty = JSON.stringify(form) !== JSON.stringify(begun);
  const back = base === null ? '/tasks' : `/tasks/${encodeURIComponent(base.id)}`;

  if (conflict !== null && base !== null) {
    return (
      <>
        <LeavingGuard isOn />
        <TaskConflict
          key={conflict.theirs.version}
          differences={differencesOf(conflict.mine, base.values, valuesOfTask(conflict.theirs))}
          savedAt={conflict.theirs.updatedAt}
          isSaving={isSaving}
          onSave={(taken) => {
            const { merged, next } = resolve(taken);
            void submit(merged, next);
          }}
          onEdit={(taken) => {
            resolve(taken);
            setConflict(null);
          }}
        />
      </>
    );
  }
  return (
    <form
      ref={element}
      className="editor"
      noValidate
      aria-busy={isSaving}
      onSubmit={(event: FormEvent) => {
        event.preventDefault();
        void submit(form, base);
      }}
    >
      <LeavingGuard isOn={isDirty} />
      {faults.other !== null && (
        <p className="failure" role="alert" tabIndex={-1}>
          {faults.other}
        </p>
      )}
      {isGone && (
        <Gone
          onKeep={() => {
            setBase(null);
            setIsGone(false);
          }}
        />
      )}
      <TaskFields
        form={form}
        initial={initial}
        classes={classes}
        isNew={base === null}
        faults={faults}
        onChange={change}
      />
      <div className="buttons">
        {!isGone && (
          <button type="submit" className="primary" aria-disabled={isSaving}>
            {isSaving ? 'Saving…' : base === null ? 'Add task' : 'Save'}
          </button>
        )}
        <Link className="button" href={back}>
          Cancel
        </Link>
      </div>
    </form>
  );
}

function Gone({ onKeep }: { onKeep: () => void }) {
  return (
    <div className="failure gone" role="alert" tabIndex={-1}>
      Somebody has deleted this task meanwhile. What you have typed is still here.{' '}
      <button type="button" onClick={onKeep}>
        Keep it as a new task
      </button>
    </div>
  );
}

/** The faults but those of a part, which is being corrected. */
function without(faults: FormFaults, prefix: string): FormFaults {
  if (faults === NO_FAULTS) return faults;
  const left = [...faults.byField].filter(([field]) => !field.startsWith(prefix));
  return { ...faults, byField: new Map(left), data: prefix === 'input.data' ? [] : faults.data };
}
