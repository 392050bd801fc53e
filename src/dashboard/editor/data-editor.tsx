// The inputs of a form that was made from a JSON Schema (data-form.ts).
import type { ReactNode } from 'react';
import type { DataField, Json } from './data-fields.ts';
import { type DataFault, type Draft, type DraftOf, readData } from './data-form.ts';
import { Fault } from './editor-parts.tsx';
import { Field } from './form-parts.tsx';

type Faults = readonly DataFault[];

interface DataInputProps {
  field: DataField;
  draft: Draft;
  faults: Faults;
  onChange: (draft: Draft) => void;
  /** Where it has no label of its own. */
  label?: string;
  isRequired?: boolean;
}

type Of<FieldKind extends DataField['kind'], DraftKind extends Draft['kind']> = Omit<
  DataInputProps,
  'field' | 'draft'
> & {
  field: Extract<DataField, { kind: FieldKind }>;
  draft: DraftOf<DraftKind>;
};

/** The faults of what is below a key, as seen from there. */
function below(faults: Faults, key: string | number): Faults {
  return faults
    .filter(({ path: [first] }) => first !== undefined && String(first) === String(key))
    .map((fault) => ({ ...fault, path: fault.path.slice(1) }));
}

function messageOf(faults: Faults): string | undefined {
  return faults.length === 0 ? undefined : [...new Set(faults.map(({ message }) => message))].join(' ');
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

const MAX_ROWS = 16;

function rowsOf(text: string, least: number): number {
  return Math.min(MAX_ROWS, Math.max(least, text.split('\n').length));
}

function Leaf({
  field,
  draft,
  faults,
  onChange,
  label = field.label,
  isRequired,
}: Omit<DataInputProps, 'draft'> & { draft: DraftOf<'leaf'> }) {
  const { text, asJson } = draft;
  const change = (event: { target: { value: string } }) => onChange({ ...draft, text: event.target.value });
  // An input of one line would lose the newlines of what it was read from; it stays what it is while somebody types.
  const hasLines = typeof draft.original === 'string' && draft.original.includes('\n');
  const isLong = asJson || hasLines || (field.kind === 'text' && field.isLong);
  const hint =
    asJson && field.kind !== 'json' ? ['As JSON, since it is of another kind.', field.hint].join(' ') : field.hint;
  return (
    <Field label={isRequired ? `${label} (needed)` : label} hint={hint} fault={messageOf(faults)}>
      {(ties) => {
        if (field.kind === 'choice' && !asJson) {
          return (
            <select {...ties} value={text} onChange={change}>
              <option value="">{isRequired ? '' : 'not given'}</option>
              {field.options.map((option) => (
                <option key={JSON.stringify(option)} value={JSON.stringify(option)}>
                  {optionLabel(option)}
                </option>
              ))}
            </select>
          );
        }
        if (isLong) {
          const rows = rowsOf(text, asJson ? 3 : 2);
          return <textarea {...ties} className="code" rows={rows} spellCheck={false} value={text} onChange={change} />;
        }
        const isNumber = field.kind === 'number';
        return (
          <input
            {...ties}
            className={isNumber || field.kind === 'scalar' ? 'medium' : undefined}
            inputMode={isNumber ? 'decimal' : undefined}
            autoComplete="off"
            spellCheck={false}
            value={text}
            onChange={change}
          />
        );
      }}
    </Field>
  );
}

function optionLabel(option: Json): string {
  if (typeof option === 'boolean') return option ? 'yes' : 'no';
  return typeof option === 'string' ? option : JSON.stringify(option);
}

function Hint({ children }: { children: string | null }) {
  return children === null ? null : <p className="hint">{children}</p>;
}

/** An object with the members that its schema names. The outermost has no frame. */
function Group({ field, draft, faults, onChange, label = field.label }: Of<'group', 'group'>) {
  return (
    <fieldset className="part">
      <legend>{label}</legend>
      <Hint>{field.hint}</Hint>
      <Members field={field} draft={draft} faults={faults} onChange={onChange} />
    </fieldset>
  );
}

export function Members({ field, draft, faults, onChange }: Of<'group', 'group'>) {
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
          Also kept as it is: {kept.join(', ')}.{' '}
          <button type="button" onClick={() => onChange({ ...draft, rest: {} })}>
            Remove<span className="hidden">: {kept.join(', ')}</span>
          </button>
        </p>
      )}
    </div>
  );
}

function nextId(rows: readonly { id: number }[]): number {
  return Math.max(0, ...rows.map(({ id }) => id)) + 1;
}

function List({ field, draft, faults, onChange, label = field.label }: Of<'list', 'list'>) {
  const { rows } = draft;
  const set = (changed: typeof rows) => onChange({ ...draft, rows: changed });
  const own = faults.filter(({ path: [first] }) => first === undefined || !rows[Number(first)]);
  return (
    <fieldset className="part">
      <legend>{label}</legend>
      <Hint>{field.hint}</Hint>
      <Fault>{messageOf(own)}</Fault>
      {rows.map((row, index) => (
        <div className="row" key={row.id}>
          <DataInput
            field={{ ...field.item, hint: null }}
            draft={row.draft}
            label={`${label} ${index + 1}`}
            faults={below(faults, index)}
            onChange={(changed) => set(rows.with(index, { ...row, draft: changed }))}
          />
          <button type="button" onClick={() => set(rows.toSpliced(index, 1))}>
            Remove<span className="hidden">: {`${label} ${index + 1}`}</span>
          </button>
        </div>
      ))}
      <button
        type="button"
        onClick={() => set([...rows, { id: nextId(rows), draft: readData(field.item, undefined) }])}
      >
        Add<span className="hidden"> to {label}</span>
      </button>
    </fieldset>
  );
}

function Table({ field, draft, faults, onChange, label = field.label }: Of<'map', 'map'>) {
  const { rows } = draft;
  const set = (changed: typeof rows) => onChange({ ...draft, rows: changed });
  const own = faults.filter(({ path: [first] }) => !rows.some(({ name }) => name === String(first)));
  const valueFaults = faults.filter((fault) => fault.isOfName !== true || fault.path.length > 1);
  const nameFaults = (name: string) =>
    below(
      faults.filter((fault) => !valueFaults.includes(fault)),
      name,
    );
  const add = () => set([...rows, { id: nextId(rows), name: '', draft: readData(field.value, undefined) }]);
  return (
    <fieldset className="part">
      <legend>{label}</legend>
      <Hint>{field.hint}</Hint>
      <Fault>{messageOf(own)}</Fault>
      {rows.map((row, index) => (
        <div className="row" key={row.id}>
          <Field label="Name" fault={messageOf(nameFaults(row.name))}>
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
          <button type="button" onClick={() => set(rows.toSpliced(index, 1))}>
            Remove<span className="hidden">: {row.name || `row ${index + 1}`}</span>
          </button>
        </div>
      ))}
      <button type="button" onClick={add}>
        Add<span className="hidden"> to {label}</span>
      </button>
    </fieldset>
  );
}

/** A value that can be of several kinds. */
function Either({ field, draft, faults, onChange, label = field.label, isRequired }: Of<'either', 'either'>) {
  const { chosen, options } = draft;
  const [option, own] = [field.options[chosen], options[chosen]];
  return (
    <div className="either">
      <Field label={`${label}: kind`}>
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
          isRequired={isRequired ?? false}
          onChange={(changed) => onChange({ ...draft, options: options.with(chosen, changed) })}
        />
      )}
    </div>
  );
}
