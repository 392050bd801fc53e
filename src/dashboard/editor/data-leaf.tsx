// The input of a single value in a data form.
import type { DataField, Json } from './data-fields.ts';
import type { DraftOf } from './data-form.ts';
import { type DataInputProps, messageOf } from './data-input.ts';
import { Field, type Ties } from './form-parts.tsx';

interface LeafProps extends Omit<DataInputProps, 'draft'> {
  draft: DraftOf<'leaf'>;
}

export function Leaf({ field, draft, faults, onChange, label = field.label, isRequired = false }: LeafProps) {
  const isOtherType = draft.asJson && field.kind !== 'json';
  const hint = isOtherType ? ['Shown as JSON because of its type.', field.hint].join(' ') : field.hint;
  const change = (text: string) => onChange({ ...draft, text });
  return (
    <Field label={isRequired ? `${label} (required)` : label} hint={hint} fault={messageOf(faults)}>
      {(ties) => <LeafInput field={field} draft={draft} isRequired={isRequired} ties={ties} onChange={change} />}
    </Field>
  );
}

interface LeafInputProps extends Pick<LeafProps, 'field' | 'draft'> {
  isRequired: boolean;
  ties: Ties;
  onChange: (text: string) => void;
}

function LeafInput({ field, draft, isRequired, ties, onChange }: LeafInputProps) {
  const { text, asJson } = draft;
  const change = (event: { target: { value: string } }) => onChange(event.target.value);
  if (field.kind === 'choice' && !asJson) {
    return (
      <select {...ties} value={text} onChange={change}>
        <option value="">{isRequired ? '' : 'not set'}</option>
        {field.options.map((option) => (
          <option key={JSON.stringify(option)} value={JSON.stringify(option)}>
            {optionLabel(option)}
          </option>
        ))}
      </select>
    );
  }
  if (isLong(field, draft)) {
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
}

/** Decided by the original text, not by what is typed, so that the input does not change while it has the focus. */
function isLong(field: DataField, { asJson, original }: DraftOf<'leaf'>): boolean {
  // A single-line input would drop the newlines of the original.
  const hasLines = typeof original === 'string' && original.includes('\n');
  return asJson || hasLines || (field.kind === 'text' && field.isLong);
}

const MAX_ROWS = 16;

function rowsOf(text: string, least: number): number {
  return Math.min(MAX_ROWS, Math.max(least, text.split('\n').length));
}

function optionLabel(option: Json): string {
  if (typeof option === 'boolean') return option ? 'yes' : 'no';
  return typeof option === 'string' ? option : JSON.stringify(option);
}
