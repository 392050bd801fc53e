// The editor of a task, new or existing: its form, or the conflict with another user's change.
import { type FormEvent, type RefObject, useEffect, useRef } from 'react';
import { Link } from 'wouter';
import { focusFirstFault } from './editor-parts.tsx';
import { LeavingGuard } from './leaving-guard.tsx';
import { TaskConflict } from './task-conflict.tsx';
import { differencesOf } from './task-differences.ts';
import { TaskFields } from './task-fields.tsx';
import { valuesOfTask } from './task-values.ts';
import { type EditedProps, type Editing, useEditing } from './use-editing.ts';
import type { Conflict } from './use-saving.ts';

export function TaskEditor(props: EditedProps) {
  const editing = useEditing(props);
  const form = useRef<HTMLFormElement>(null);
  useFormFocus(form, editing);
  if (editing.conflict !== null) return <ConflictEditor editing={editing} conflict={editing.conflict} />;
  return <FormEditor {...props} editing={editing} form={form} />;
}

/** Focuses the first fault after a failed save, and the first input of the form after a conflict. */
function useFormFocus(form: RefObject<HTMLFormElement | null>, { conflict, failures }: Editing) {
  const wasInConflict = useRef(false);
  useEffect(() => {
    if (wasInConflict.current && conflict === null) form.current?.querySelector('input')?.focus();
    wasInConflict.current = conflict !== null;
  }, [form, conflict]);
  // Runs for each failed save only: the focus must not move while the user corrects the faults.
  useEffect(() => {
    if (failures > 0) focusFirstFault(form.current);
  }, [form, failures]);
}

function ConflictEditor({ editing, conflict }: { editing: Editing; conflict: Conflict }) {
  const { base, mine, theirs } = conflict;
  return (
    <>
      <LeavingGuard isOn />
      <TaskConflict
        key={theirs.version}
        differences={differencesOf(mine, base.values, valuesOfTask(theirs))}
        savedAt={theirs.updatedAt}
        isSaving={editing.isSaving}
        onSave={(taken) => editing.saveResolved(conflict, taken)}
        onEdit={(taken) => editing.editResolved(conflict, taken)}
      />
    </>
  );
}

interface FormEditorProps extends Pick<EditedProps, 'classes' | 'initial'> {
  editing: Editing;
  form: RefObject<HTMLFormElement | null>;
}

function FormEditor({ classes, initial, editing, form }: FormEditorProps) {
  const { base, faults, isSaving, isDeleted } = editing;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    editing.save();
  };
  return (
    <form ref={form} className="editor" noValidate aria-busy={isSaving} onSubmit={submit}>
      <LeavingGuard isOn={editing.isDirty} />
      {faults.other !== null && (
        <p className="failure" role="alert" tabIndex={-1}>
          {faults.other}
        </p>
      )}
      {isDeleted && <Deleted onKeep={editing.keepAsNew} />}
      <TaskFields
        form={editing.form}
        initial={initial}
        classes={classes}
        isNew={base === null}
        faults={faults}
        onChange={editing.change}
      />
      <div className="buttons">
        {!isDeleted && (
          <button type="submit" className="primary" aria-disabled={isSaving}>
            {isSaving ? 'Saving…' : base === null ? 'Add task' : 'Save'}
          </button>
        )}
        <Link className="button" href={base === null ? '/tasks' : `/tasks/${encodeURIComponent(base.id)}`}>
          Cancel
        </Link>
      </div>
    </form>
  );
}

function Deleted({ onKeep }: { onKeep: () => void }) {
  return (
    <div className="failure gone" role="alert" tabIndex={-1}>
      Another user has deleted this task. Your changes are still here.{' '}
      <button type="button" onClick={onKeep}>
        Keep as a new task
      </button>
    </div>
  );
}
