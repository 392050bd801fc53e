// The form of a task, new or not, with what becomes of it when it is saved.
import { type FormEvent, useEffect, useMemo, useRef, useState } from 'react';
import { Link, useLocation } from 'wouter';
import { useSession } from './context.ts';
import { DataInput, Members } from './data-editor.tsx';
import { Fault, focusFirstFault } from './editor-parts.tsx';
import { Field } from './form-parts.tsx';
import { LeavingGuard } from './leaving-guard.tsx';
import { PolicyEditor } from './policy-editor.tsx';
import { RulesEditor } from './rule-editor.tsx';
import { TaskConflict } from './task-conflict.tsx';
import {
  differencesOf,
  type EditableClasses,
  type EditedTask,
  type FormFaults,
  formOf,
  mergedValues,
  switchData,
  type TaskForm,
  type TypedData,
  type Values,
  valuesOfTask,
  withClass,
} from './task-form.ts';
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
        <div className="failure gone" role="alert" tabIndex={-1}>
          Somebody has deleted this task meanwhile. What you have typed is still here.{' '}
          <button
            type="button"
            onClick={() => {
              setBase(null);
              setIsGone(false);
            }}
          >
            Keep it as a new task
          </button>
        </div>
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

/** The faults but those of a part, which is being corrected. */
function without(faults: FormFaults, prefix: string): FormFaults {
  if (faults === NO_FAULTS) return faults;
  const left = [...faults.byField].filter(([field]) => !field.startsWith(prefix));
  return { ...faults, byField: new Map(left), data: prefix === 'input.data' ? [] : faults.data };
}

interface TaskFieldsProps {
  form: TaskForm;
  initial: Values;
  classes: EditableClasses;
  isNew: boolean;
  faults: FormFaults;
  /** The part that changes, and the beginning of its faults. */
  onChange: (part: Partial<TaskForm>, faultPrefix: string) => void;
}

function TaskFields({ form, initial, classes, isNew, faults, onChange }: TaskFieldsProps) {
  const { viewer } = useSession();
  const { name, className, active, timeZone, owner, rules, data, policy } = form;
  const taskClass = classes.named(className);
  const typed = data[className];
  return (
    <>
      <section className="basics" aria-label="Basics">
        <Field label="Name" fault={faults.byField.get('input.name')}>
          {(ties) => (
            <input
              {...ties}
              required
              autoComplete="off"
              value={name}
              onChange={(event) => onChange({ name: event.target.value }, 'input.name')}
            />
          )}
        </Field>
        <Field
          label="Class"
          hint={
            <>
              {taskClass?.description ?? 'Nobody has told of this class.'}
              {!taskClass?.liveRunners && (
                <strong className="warning"> No live runner has it: its slots are skipped.</strong>
              )}
            </>
          }
          fault={faults.byField.get('input.className')}
        >
          {(ties) => (
            <select
              {...ties}
              value={className}
              onChange={(event) => onChange(withClass(form, event.target.value, initial, classes), 'input.class')}
            >
              {taskClass === undefined && <option value={className}>{className}</option>}
              {classes.all.map((each) => (
                <option key={each.name} value={each.name}>
                  {each.title}
                  {each.liveRunners === 0 ? ' (no live runner)' : ''}
                </option>
              ))}
            </select>
          )}
        </Field>
        <TimeZoneField
          value={timeZone}
          isNew={isNew}
          fault={faults.byField.get('input.timeZone')}
          onChange={(value) => onChange({ timeZone: value }, 'input.timeZone')}
        />
        {viewer.role === 'ADMIN' && (
          <Field
            label="Owner, by user id"
            hint={isNew ? 'The id of the old API, a number. You unless given.' : 'The id of the old API, a number.'}
            fault={faults.byField.get('input.ownerLegacyId')}
          >
            {(ties) => (
              <input
                {...ties}
                className="short"
                inputMode="numeric"
                autoComplete="off"
                value={owner}
                onChange={(event) => onChange({ owner: event.target.value }, 'input.ownerLegacyId')}
              />
            )}
          </Field>
        )}
        <label className="check">
          <input
            type="checkbox"
            checked={active}
            onChange={(event) => onChange({ active: event.target.checked }, 'input.active')}
          />
          Active: it expects its slots
        </label>
      </section>
      <section aria-labelledby="when">
        <h2 id="when">When</h2>
        <RulesEditor
          rules={rules}
          timeZone={timeZone}
          faults={faults.byField}
          onChange={(changed) => {
            onChange({ rules: changed }, 'rule.');
          }}
        />
      </section>
      {typed && (
        <DataSection
          key={className}
          typed={typed}
          classes={classes}
          className={className}
          faults={faults}
          onChange={(changed) => onChange({ data: { ...data, [className]: changed } }, 'input.data')}
        />
      )}
      <PolicyEditor
        policy={policy}
        taskClass={taskClass}
        faults={faults.byField}
        onChange={(changed) => onChange({ policy: changed }, 'input.policy')}
      />
    </>
  );
}

interface TimeZoneFieldProps {
  value: string;
  isNew: boolean;
  fault: string | undefined;
  onChange: (value: string) => void;
}

function TimeZoneField({ value, isNew, fault, onChange }: TimeZoneFieldProps) {
  const zones = useMemo(() => Intl.supportedValuesOf('timeZone'), []);
  const hint = isNew
    ? 'Whose clock its rules go by, such as Europe/Berlin. The one of the server unless given.'
    : 'Whose clock its rules go by, such as Europe/Berlin.';
  return (
    <Field label="Time zone" hint={hint} fault={fault}>
      {(ties) => (
        <>
          <input
            {...ties}
            list="time-zones"
            autoComplete="off"
            spellCheck={false}
            value={value}
            onChange={(event) => onChange(event.target.value)}
          />
          <datalist id="time-zones">
            {zones.map((zone) => (
              <option key={zone} value={zone} />
            ))}
          </datalist>
        </>
      )}
    </Field>
  );
}

interface DataSectionProps {
  typed: TypedData;
  classes: EditableClasses;
  className: string;
  faults: FormFaults;
  onChange: (typed: TypedData) => void;
}

function DataSection({ typed, classes, className, faults, onChange }: DataSectionProps) {
  const [refusal, setRefusal] = useState<string | null>(null);
  const field = classes.dataField(className);
  const told = faults.byField.get('input.dataText') ?? faults.byField.get('input.data');
  const toggle = () => {
    const switched = switchData(typed, field);
    setRefusal(switched === null ? 'A form can show a JSON object whose numbers have up to 15 digits.' : null);
    if (switched !== null) onChange(switched);
  };
  const asText = faults.data.map(({ path, message }) => `${path.join('.')}: ${message}`);
  return (
    <section className="data" aria-labelledby="data">
      <div className="section-head">
        <h2 id="data">Data</h2>
        <label className="check">
          <input type="checkbox" checked={typed.isText} onChange={toggle} />
          As JSON
        </label>
      </div>
      {typed.isText ? (
        <Field
          label="The object handed to the class"
          fault={[told, refusal, ...asText].filter(Boolean).join(' ') || undefined}
        >
          {(ties) => (
            <textarea
              {...ties}
              className="code"
              rows={Math.min(24, Math.max(6, typed.text.split('\n').length))}
              spellCheck={false}
              value={typed.text}
              onChange={(event) => onChange({ ...typed, text: event.target.value })}
            />
          )}
        </Field>
      ) : (
        <>
          <Fault>{told}</Fault>
          {field.kind === 'group' && typed.draft.kind === 'group' ? (
            <Members
              field={field}
              draft={typed.draft}
              faults={faults.data}
              onChange={(draft) => onChange({ ...typed, draft })}
            />
          ) : (
            <DataInput
              field={field}
              draft={typed.draft}
              faults={faults.data}
              onChange={(draft) => onChange({ ...typed, draft })}
            />
          )}
        </>
      )}
    </section>
  );
}
