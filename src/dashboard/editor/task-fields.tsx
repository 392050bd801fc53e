// The fields of the task form.
import { useMemo, useState } from 'react';
import { useSession } from '../session/context.ts';
import { DataInput, Members } from './data-editor.tsx';
import type { EditableClasses } from './editable-classes.ts';
import { Fault } from './editor-parts.tsx';
import { Field } from './form-parts.tsx';
import { OwnerField } from './owner-field.tsx';
import { PolicyEditor } from './policy-editor.tsx';
import { RulesEditor } from './rule-editor.tsx';
import type { FormFaults } from './task-faults.ts';
import { type TaskForm, withClass } from './task-form.ts';
import type { Values } from './task-values.ts';
import { switchData, type TypedData } from './typed-data.ts';

interface TaskFieldsProps {
  form: TaskForm;
  initial: Values;
  classes: EditableClasses;
  isNew: boolean;
  faults: FormFaults;
  /** `part` has the changed fields; `faultPrefix` selects the faults that the change clears. */
  onChange: (part: Partial<TaskForm>, faultPrefix: string) => void;
}

export function TaskFields({ form, initial, classes, isNew, faults, onChange }: TaskFieldsProps) {
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
              {taskClass?.description ?? 'No runner has registered this class.'}
              {!taskClass?.liveRunners && (
                <strong className="warning"> No live runner has this class: its slots are skipped.</strong>
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
          <OwnerField
            value={owner}
            isNew={isNew}
            fault={faults.byField.get('input.ownerLegacyId')}
            onChange={(value) => onChange({ owner: value }, 'input.ownerLegacyId')}
          />
        )}
        <label className="check">
          <input
            type="checkbox"
            checked={active}
            onChange={(event) => onChange({ active: event.target.checked }, 'input.active')}
          />
          Active: runs on schedule
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
  const hint = `The time zone of its rules, such as Europe/Berlin.${isNew ? ' Default: that of the server.' : ''}`;
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
  const fault = faults.byField.get('input.dataText') ?? faults.byField.get('input.data');
  const toggle = () => {
    const switched = switchData(typed, field);
    setRefusal(switched === null ? 'The form can only show a JSON object whose numbers have at most 15 digits.' : null);
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
          label="JSON object passed to the class"
          fault={[fault, refusal, ...asText].filter(Boolean).join(' ') || undefined}
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
          <Fault>{fault}</Fault>
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
