// The form of one rule: its kind, and the inputs of that kind.
import { type ReactNode, useId } from 'react';
import { rulesInWords } from '../../calendar/rule-words.ts';
import { Fault } from './editor-parts.tsx';
import { Field } from './form-parts.tsx';
import {
  fieldsOf,
  itemsOf,
  KINDS,
  RULE_KINDS,
  type RuleDraft,
  type RuleField,
  type RuleKind,
  type TextField,
  withKind,
} from './rule-form.ts';

interface RuleCardProps {
  rule: RuleDraft;
  number: number;
  faultOf: (field: RuleField) => string | undefined;
  onChange: (rule: RuleDraft) => void;
  onRemove: () => void;
}

export function RuleCard({ rule, number, faultOf, onChange, onRemove }: RuleCardProps) {
  const shown = fieldsOf(rule.kind);
  const { items, faults } = itemsOf(rule);
  const hidden = HIDEABLE.filter((field) => !shown.has(field)).map(faultOf);
  return (
    <fieldset className="rule">
      <legend className="hidden">Rule {number}</legend>
      <div className="rule-head">
        <Field label="Repeats">
          {(ties) => (
            <select
              {...ties}
              value={rule.kind}
              onChange={(event) => onChange(withKind(rule, event.target.value as RuleKind))}
            >
              {RULE_KINDS.map((kind) => (
                <option key={kind} value={kind}>
                  {KINDS[kind].label}
                </option>
              ))}
            </select>
          )}
        </Field>
        <button type="button" onClick={onRemove}>
          Remove<span className="hidden">: rule {number}</span>
        </button>
      </div>
      <RuleInputs rule={rule} shown={shown} faultOf={faultOf} onChange={onChange} />
      {hidden.map((message) => message && <Fault key={message}>{message}</Fault>)}
      {faults.size === 0 && <p className="words">{rulesInWords(items).join('; ')}</p>}
    </fieldset>
  );
}

/** In the order of the inputs. */
const HIDEABLE: readonly RuleField[] = [
  'intervalDays',
  'weekOfMonth',
  'dayOfWeek',
  'dayOfMonth',
  'month',
  'year',
  'hour',
  'minute',
  'start',
  'end',
];

const ORDINALS: Options = [
  ['1', 'first'],
  ['2', 'second'],
  ['3', 'third'],
  ['4', 'fourth'],
  ['5', 'fifth, if there is one'],
];
const MONTHS: Options = Array.from({ length: 12 }, (_month, index) => [
  String(index + 1),
  new Date(2026, index).toLocaleString('en', { month: 'long' }),
]);

type Options = readonly (readonly [value: string, words: string])[];
type RuleInputsProps = Pick<RuleCardProps, 'rule' | 'faultOf' | 'onChange'> & { shown: ReadonlySet<RuleField> };

function RuleInputs({ rule, shown, faultOf, onChange }: RuleInputsProps) {
  const isCustom = rule.kind === 'custom';
  const has = (field: RuleField) => shown.has(field);
  const of = (field: TextField) => ({
    value: rule[field],
    fault: faultOf(field),
    onChange: (value: string) => onChange({ ...rule, [field]: value }),
  });
  const every = (hint: string) => (isCustom ? { hint: `${hint}; empty for all` } : {});
  return (
    <div className="rule-inputs">
      {has('intervalDays') && <NumberInput label="Interval in days" {...of('intervalDays')} />}
      {has('weekOfMonth') && (
        <SelectInput label="Week of the month" options={ORDINALS} isOptional={isCustom} {...of('weekOfMonth')} />
      )}
      {has('dayOfWeek') && (
        <Weekdays days={rule.days} fault={faultOf('dayOfWeek')} onChange={(days) => onChange({ ...rule, days })} />
      )}
      {has('dayOfMonth') && <NumberInput label="Day of the month" {...of('dayOfMonth')} {...every('1 to 31')} />}
      {has('month') && <SelectInput label="Month" options={MONTHS} isOptional {...of('month')} />}
      {has('year') && <NumberInput label="Year" {...of('year')} {...every('1000 to 9999')} />}
      {has('hour') && !isCustom && (
        <TimeInput rule={rule} fault={faultOf('hour') ?? faultOf('minute')} onChange={onChange} />
      )}
      {has('hour') && isCustom && <NumberInput label="Hour" {...of('hour')} {...every('0 to 23')} />}
      {has('minute') && (isCustom || !has('hour')) && (
        <NumberInput label="Minute" {...of('minute')} {...every('0 to 59')} />
      )}
      {has('start') && <DateInput label={startLabel(rule.kind)} {...of('start')} />}
      {has('end') && <DateInput label="Until" {...of('end')} />}
    </div>
  );
}

function startLabel(kind: RuleKind): string {
  if (kind === 'once') return 'On';
  return kind === 'interval' ? 'Counted from' : 'From';
}

interface InputProps {
  label: string;
  value: string;
  hint?: ReactNode;
  fault?: string | undefined;
  onChange: (value: string) => void;
}

function NumberInput({ label, value, hint, fault, onChange }: InputProps) {
  return (
    <Field label={label} hint={hint} fault={fault}>
      {(ties) => (
        <input
          {...ties}
          className="short"
          inputMode="numeric"
          autoComplete="off"
          value={value}
          onChange={(event) => onChange(event.target.value)}
        />
      )}
    </Field>
  );
}

function DateInput({ label, value, fault, onChange }: InputProps) {
  return (
    <Field label={label} fault={fault}>
      {(ties) => (
        <input
          {...ties}
          type="date"
          max="9999-12-31"
          value={value}
          onChange={(event) => onChange(event.target.value)}
        />
      )}
    </Field>
  );
}

function SelectInput({ label, value, fault, onChange, options, isOptional }: InputProps & SelectProps) {
  return (
    <Field label={label} fault={fault}>
      {(ties) => (
        <select {...ties} value={value} onChange={(event) => onChange(event.target.value)}>
          {(isOptional || value === '') && <option value="">{isOptional ? 'every' : ''}</option>}
          {options.map(([each, words]) => (
            <option key={each} value={each}>
              {words}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

interface SelectProps {
  options: Options;
  isOptional: boolean;
}

/** Hour and minute in one. */
function TimeInput({
  rule,
  fault,
  onChange,
}: Pick<RuleCardProps, 'rule' | 'onChange'> & { fault: string | undefined }) {
  const isWhole = rule.hour !== '' && rule.minute !== '';
  const value = isWhole ? `${rule.hour.padStart(2, '0')}:${rule.minute.padStart(2, '0')}` : '';
  const change = (text: string) => {
    const [hour, minute] = text.split(':').map((part) => (part === '' ? '' : String(Number(part))));
    onChange({ ...rule, hour: hour ?? '', minute: minute ?? '' });
  };
  return (
    <Field label="At" fault={fault}>
      {(ties) => <input {...ties} type="time" value={value} onChange={(event) => change(event.target.value)} />}
    </Field>
  );
}

/** Monday first; 0 is Sunday. */
const WEEK = [1, 2, 3, 4, 5, 6, 0];
const NAMES = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];

interface WeekdaysProps {
  days: readonly number[];
  fault: string | undefined;
  onChange: (days: readonly number[]) => void;
}

function Weekdays({ days, fault, onChange }: WeekdaysProps) {
  const id = useId();
  const toggle = (day: number) =>
    onChange(
      days.includes(day)
        ? days.filter((each) => each !== day)
        : WEEK.filter((each) => each === day || days.includes(each)),
    );
  return (
    <fieldset className="weekdays" aria-describedby={fault && id}>
      <legend>Days</legend>
      {WEEK.map((day) => (
        <label key={day}>
          <input type="checkbox" checked={days.includes(day)} onChange={() => toggle(day)} />
          <span aria-hidden>{NAMES[day]?.slice(0, 3)}</span>
          <span className="hidden">{NAMES[day]}</span>
        </label>
      ))}
      <Fault id={id}>{fault}</Fault>
    </fieldset>
  );
}
