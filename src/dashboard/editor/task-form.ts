// The form of a task as typed: from the values of a task (`formOf`) and back (`valuesOf`).
import type { EditableClasses } from './editable-classes.ts';
import { draftsOf, itemsOf, type RuleDraft } from './rule-form.ts';
import { type FormFaults, ruleField } from './task-faults.ts';
import { defaultPolicy, POLICY, POLICY_NAMES, type Policy, type PolicyName, type PolicyValue } from './task-policy.ts';
import type { Values } from './task-values.ts';
import { readTypedData, type TypedData, typedData } from './typed-data.ts';

export interface TaskForm {
  name: string;
  className: string;
  active: boolean;
  timeZone: string;
  owner: string;
  rules: readonly RuleDraft[];
  /** By class, so that switching to another class and back loses nothing. */
  data: Readonly<Record<string, TypedData>>;
  policy: Readonly<Record<PolicyName, string>>;
}

export function formOf(values: Values, classes: EditableClasses): TaskForm {
  const { name, className, active, timeZone, ownerLegacyId, rules, policy } = values;
  const texts = Object.fromEntries(POLICY_NAMES.map((each) => [each, String(policy[each] ?? '')]));
  return {
    name,
    className,
    active,
    timeZone,
    owner: ownerLegacyId === null ? '' : String(ownerLegacyId),
    rules: draftsOf(rules),
    data: { [className]: typedData(classes.dataField(className), values) },
    policy: texts as Record<PolicyName, string>,
  };
}

/** The form with another class. Its data start as those of the task, or as they were typed before for that class. */
export function withClass(form: TaskForm, className: string, initial: Values, classes: EditableClasses): TaskForm {
  const data = form.data[className] ?? typedData(classes.dataField(className), initial);
  return { ...form, className, data: { ...form.data, [className]: data } };
}

/** The values of the form and its faults. In an existing task an empty field of the policy means the default. */
export function valuesOf(
  form: TaskForm,
  classes: EditableClasses,
  isNew: boolean,
): { values: Values; faults: FormFaults } {
  const byField = new Map<string, string>();
  const { name, className, active, owner } = form;
  const timeZone = form.timeZone.trim();
  if (!isNew && timeZone === '') byField.set('input.timeZone', 'A time zone is required.');
  const rules = form.rules.flatMap((draft) => {
    const { items, faults } = itemsOf(draft);
    for (const [field, message] of faults) byField.set(ruleField(draft.key, field), message);
    return items;
  });
  const { data, dataText, faults, isInvalid } = readTypedData(form.data[className], classes.dataField(className));
  if (isInvalid) byField.set('input.dataText', 'Must be a JSON object.');
  const defaults = defaultPolicy(classes.named(className));
  const policy = Object.fromEntries(
    POLICY_NAMES.map((each) => [each, readPolicy(form.policy[each], each, byField) ?? (isNew ? null : defaults[each])]),
  ) as Policy;
  const ownerLegacyId = readNumber(owner, true, 'input.ownerLegacyId', byField);
  return {
    values: { name, className, active, timeZone, ownerLegacyId, rules, data, dataText, policy },
    faults: { byField, data: faults, other: null },
  };
}

function readPolicy(text: string, name: PolicyName, byField: Map<string, string>): PolicyValue {
  const { accepts } = POLICY[name];
  if (typeof accepts !== 'string') return text === '' ? null : text;
  return readNumber(text, accepts === 'whole', `input.policy.${name}`, byField);
}

const MAX_INT = 2 ** 31 - 1;

/** Reads a number that GraphQL can carry; the server checks its range. */
function readNumber(text: string, isWhole: boolean, field: string, byField: Map<string, string>): number | null {
  const trimmed = text.trim();
  if (trimmed === '') return null;
  const value = Number(trimmed);
  const isAccepted = isWhole ? Number.isInteger(value) && Math.abs(value) <= MAX_INT : Number.isFinite(value);
  if (isAccepted) return value;
  byField.set(field, `Must be a ${isWhole ? 'whole ' : ''}number, got "${trimmed}".`);
  return null;
}
