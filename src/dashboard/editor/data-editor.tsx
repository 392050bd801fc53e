// The inputs of a form for data with a JSON Schema (data-form.ts). They nest as the data do.
import type { ReactNode } from 'react';
import type { DataField, FieldOf } from './data-fields.ts';
import { type Draft, type DraftOf, readData } from './data-form.ts';
import { below, type DataInputProps, messageOf } from './data-input.ts';
import { Leaf } from './data-leaf.tsx';
import { Part, Rows } from './data-rows.tsx';
import { Fault } from './editor-parts.tsx';
import { Field } from './form-parts.tsx';

/** The props of an input for one kind of field; the draft has the same kind. */
interface Of<Kind extends DataField['kind'] & Draft['kind']> extends Omit<DataInputProps, 'field' | 'draft'> {
  field: FieldOf<Kind>;
  draft: DraftOf<Kind>;
}

export function DataInput(props: DataInputProps): ReactNode {
  const { field, draft } = props;
  switch (draft.kind) {
    case 'leaf':
      return <Leaf {...props} draft={draft} />;
    case 'list':
      return field.kind === 'list' && <List {...props} field={field} draft={draft} />;
    case 'map':
      return field.kind === 'map' && <Table {...props} field={field} draft={draft} />;
    case 'group':
      return field.kind === 'group' && <Group {...props} field={field} draft={draft} />;
    case 'either':
      return field.kind === 'either' && <Either {...props} field={field} draft={draft} />;
  }
}

function Group({ label, ...props }: Of<'group'>) {
  return (
    <Part label={label ?? props.field.label} hint={props.field.hint}>
      <Members {...props} />
    </Part>
  );
}

/** The members of an object that its schema names. The outermost object is shown as this, without a frame. */
export function Members({ field, draft, faults, onChange }: Of<'group'>) {
  const names = field.members.map(({ name }) => name);
  const others = faults.filter(({ path: [first] }) => first === undefined || !names.includes(String(first)));
  const kept = Object.keys(draft.rest);
  return (
    <div className="members">
      {others.map(({ path, message }) => (
        <Fault key={message}>{path.length === 0 ? message : `${path.join('.')}: ${message}`}</Fault>
      ))}
      {field.members.map(({ name, isRequired, field: member }, index) => {
        const own = draft.members[index];
        return (
          own && (
            <DataInput
              key={name}
              field={member}
              draft={own}
              faults={below(faults, name)}
              isRequired={isRequired}
              onChange={(changed) => onChange({ ...draft, members: draft.members.with(index, changed) })}
            />
          )
        );
      })}
      {kept.length > 0 && (
        <p className="quiet kept">
          Kept unchanged: {kept.join(', ')}.{' '}
          <button type="button" onClick={() => onChange({ ...draft, rest: {} })}>
            Remove<span className="hidden">: {kept.join(', ')}</span>
          </button>
        </p>
      )}
    </div>
  );
}

function List({ field, draft, faults, onChange, label = field.label }: Of<'list'>) {
  const { rows } = draft;
  const set = (changed: typeof rows) => onChange({ ...draft, rows: changed });
  const own = faults.filter(({ path: [first] }) => first === undefined || !rows[Number(first)]);
  return (
    <Rows
      label={label}
      hint={field.hint}
      fault={messageOf(own)}
      rows={rows}
      nameOf={(_row, index) => `${label} ${index + 1}`}
      newRow={(id) => ({ id, draft: readData(field.item, undefined) })}
      onChange={set}
    >
      {(row, index) => (
        <DataInput
          field={{ ...field.item, hint: null }}
          draft={row.draft}
          label={`${label} ${index + 1}`}
          faults={below(faults, index)}
          onChange={(changed) => set(rows.with(index, { ...row, draft: changed }))}
        />
      )}
    </Rows>
  );
}

function Table({ field, draft, faults, onChange, label = field.label }: Of<'map'>) {
  const { rows } = draft;
  const set = (changed: typeof rows) => onChange({ ...draft, rows: changed });
  const own = faults.filter(({ path: [first] }) => !rows.some(({ name }) => name === String(first)));
  const nameFaults = faults.filter((fault) => fault.isOfName === true && fault.path.length <= 1);
  const valueFaults = faults.filter((fault) => !nameFaults.includes(fault));
  return (
    <Rows
      label={label}
      hint={field.hint}
      fault={messageOf(own)}
      rows={rows}
      nameOf={({ name }, index) => name || `row ${index + 1}`}
      newRow={(id) => ({ id, name: '', draft: readData(field.value, undefined) })}
      onChange={set}
    >
      {(row, index) => (
        <>
          <Field label="Name" fault={messageOf(below(nameFaults, row.name))}>
            {(ties) => (
              <input
                {...ties}
                className="medium"
                autoComplete="off"
                spellCheck={false}
                value={row.name}
                onChange={(event) => set(rows.with(index, { ...row, name: event.target.value }))}
              />
            )}
          </Field>
          <DataInput
            field={{ ...field.value, hint: null }}
            draft={row.draft}
            label="Value"
            faults={below(valueFaults, row.name)}
            onChange={(changed) => set(rows.with(index, { ...row, draft: changed }))}
          />
        </>
      )}
    </Rows>
  );
}

/** A value with several possible types: a choice of the type, and the input of the chosen one. */
function Either({ field, draft, faults, onChange, label = field.label, isRequired = false }: Of<'either'>) {
  const { chosen, options } = draft;
  const [option, own] = [field.options[chosen], options[chosen]];
  return (
    <div className="either">
      <Field label={`${label}: type`}>
        {(ties) => (
          <select
            {...ties}
            value={chosen}
            onChange={(event) => onChange({ ...draft, chosen: Number(event.target.value) })}
          >
            {field.options.map((each, index) => (
              <option key={each.label} value={index}>
                {each.label}
              </option>
            ))}
          </select>
        )}
      </Field>
      {option && own && (
        <DataInput
          field={{ ...option, hint: field.hint ?? option.hint }}
          draft={own}
          label={label}
          faults={faults}
          isRequired={isRequired}
          onChange={(changed) => onChange({ ...draft, options: options.with(chosen, changed) })}
        />
      )}
    </div>
  );
}
