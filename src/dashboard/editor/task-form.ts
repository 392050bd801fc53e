// What the form of a task says: from a task to what is typed, and from there to the input of a mutation.

import type { RuleFields } from '../../calendar/rule-words.ts';
import type { AddTaskInput, TaskPolicyInput, UpdateTaskInput } from '../operations.ts';
import { type DataField, fieldOf, type Json } from './data-fields.ts';
import { type Draft, isEqual, readData, writeData } from './data-form.ts';
import { draftsOf, itemsOf, type RuleDraft, sameRules } from './rule-form.ts';
import { type FormFaults, ruleField } from './task-faults.ts';
import {
  defaultPolicy,
  type EditedTask,
  POLICY,
  POLICY_NAMES,
  type Policy,
  type PolicyName,
  type PolicyValue,
  policyOf,
  type TaskClass,
} from './task-policy.ts';

/** The classes, each with the field that its data are typed in. */
export class EditableClasses {
  readonly all: readonly TaskClass[];
  readonly #fields = new Map<string, DataField>();

  constructor(all: readonly TaskClass[]) {
    this.all = all;
    for (const { name, dataSchema } of all) this.#fields.set(name, fieldOf(dataSchema));
  }

  named(name: string): TaskClass | undefined {
    return this.all.find((each) => each.name === name);
  }

  /** Data of a class that is not known any more is edited as JSON. */
  dataField(name: string): DataField {
    return this.#fields.get(name) ?? { kind: 'json', label: 'Data', hint: null };
  }
}

/** What a task is, as far as the form says it. */
export interface Values {
  name: string;
  className: string;
  active: boolean;
  /** Empty for the server's. */
  timeZone: string;
  /** Null for the caller. */
  ownerLegacyId: number | null;
  rules: readonly Required<RuleFields>[];
  /** An object, or null for none. */
  data: Json;
  /** The same as it was typed, or as the server has it; null where no text was typed. */
  dataText: string | null;
  /** Of a new task null for the class' default. */
  policy: Policy;
}

export function valuesOfTask(task: EditedTask): Values {
  const { name, className, active, timeZone, owner, data, dataText } = task;
  return {
    name,
    className,
    active,
    timeZone,
    ownerLegacyId: owner.legacyId,
    rules: task.repeatItems.map((item) => ({ ...item })),
    data: withoutEmpty(data as Json),
    dataText,
    policy: policyOf(task),
  };
}

/** A new task, of the first class there is. */
export function valuesOfNew(classes: EditableClasses): Values {
  const nothing = Object.fromEntries(POLICY_NAMES.map((name) => [name, null])) as Policy;
  return {
    name: '',
    className: classes.all[0]?.name ?? '',
    active: true,
    timeZone: '',
    ownerLegacyId: null,
    rules: [],
    data: null,
    dataText: null,
    policy: nothing,
  };
}

/** As the server has it: data that says nothing is null. */
export function withoutEmpty(data: Json | undefined): Json {
  if (data === undefined || data === null) return null;
  return typeof data === 'object' && Object.keys(data).length === 0 ? null : data;
}

// What is typed

export interface TypedData {
  isText: boolean;
  text: string;
  draft: Draft;
}

export interface TaskForm {
  name: string;
  className: string;
  active: boolean;
  timeZone: string;
  owner: string;
  rules: readonly RuleDraft[];
  /** By class, so that looking at another one loses nothing. */
  data: Readonly<Record<string, TypedData>>;
  policy: Readonly<Record<PolicyName, string>>;
}

/** Numbers of so many digits may not survive being read by JavaScript, so that their data are edited as text. */
const LONG_NUMBER = /\d{16}/;

function typedData(field: DataField, data: Json, dataText: string | null): TypedData {
  const text = dataText !== null && LONG_NUMBER.test(dataText) ? dataText : data === null ? '' : asText(data);
  return {
    isText: LONG_NUMBER.test(text) && text === dataText,
    text,
    draft: readData(field, data === null ? undefined : data),
  };
}

export function asText(data: Json): string {
  return JSON.stringify(data, null, 2);
}

export function formOf(values: Values, classes: EditableClasses): TaskForm {
  const { name, className, active, timeZone, ownerLegacyId, rules, data, dataText, policy } = values;
  const texts = Object.fromEntries(POLICY_NAMES.map((each) => [each, String(policy[each] ?? '')]));
  return {
    name,
    className,
    active,
    timeZone,
    owner: ownerLegacyId === null ? '' : String(ownerLegacyId),
    rules: draftsOf(rules),
    data: { [className]: typedData(classes.dataField(className), data, dataText) },
    policy: texts as Record<PolicyName, string>,
  };
}

/** The form with another class; its data begin as those of the task, and come back as they were typed. */
export function withClass(form: TaskForm, className: string, initial: Values, classes: EditableClasses): TaskForm {
  const known = form.data[className];
  const begun = known ?? typedData(classes.dataField(className), initial.data, initial.dataText);
  return { ...form, className, data: { ...form.data, [className]: begun } };
}

/** The data as text instead of inputs, or back; null where the text is no object, or has numbers that would not survive. */
export function switchData(typed: TypedData, field: DataField): TypedData | null {
  if (!typed.isText) {
    const { value } = writeData(field, typed.draft);
    const isSame = typed.text !== '' && isEqual(parse(typed.text), value);
    return { ...typed, isText: true, text: isSame ? typed.text : value === undefined ? '' : asText(value) };
  }
  const data = LONG_NUMBER.test(typed.text) ? undefined : parse(typed.text);
  if (data === undefined || (data !== null && (typeof data !== 'object' || Array.isArray(data)))) return null;
  return { ...typed, isText: false, draft: readData(field, data ?? undefined) };
}

/** Null for an empty text, undefined for what is no JSON. */
function parse(text: string): Json | undefined {
  if (text.trim() === '') return null;
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}

/** What the form says, and what is wrong with what was typed. Of a task that there is, an empty field of the policy says the default. */
export function valuesOf(
  form: TaskForm,
  classes: EditableClasses,
  isNew: boolean,
): { values: Values; faults: FormFaults } {
  const byField = new Map<string, string>();
  const { name, className, active, owner } = form;
  const timeZone = form.timeZone.trim();
  if (!isNew && timeZone === '') byField.set('input.timeZone', 'A task has a time zone: name one.');
  const rules = form.rules.flatMap((draft) => {
    const { items, faults } = itemsOf(draft);
    for (const [field, message] of faults) byField.set(ruleField(draft.key, field), message);
    return items;
  });
  const { data, dataText, faults } = valuesOfData(form.data[className], classes.dataField(className), byField);
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

function valuesOfData(typed: TypedData | undefined, field: DataField, byField: Map<string, string>) {
  if (typed?.isText) {
    const data = parse(typed.text);
    if (data === undefined) byField.set('input.dataText', 'It is not JSON; accepted is a JSON object.');
    return { data: withoutEmpty(data), dataText: typed.text, faults: [] };
  }
  if (typed === undefined) return { data: null, dataText: null, faults: [] };
  const { value, faults } = writeData(field, typed.draft);
  return { data: withoutEmpty(value), dataText: null, faults };
}

function readPolicy(text: string, name: PolicyName, byField: Map<string, string>): PolicyValue {
  const { accepts } = POLICY[name];
  if (typeof accepts !== 'string') return text === '' ? null : text;
  return readNumber(text, accepts === 'whole', `input.policy.${name}`, byField);
}

const MAX_INT = 2 ** 31 - 1;

/** Whether it is in bounds the server says. */
function readNumber(text: string, isWhole: boolean, field: string, byField: Map<string, string>): number | null {
  const trimmed = text.trim();
  if (trimmed === '') return null;
  const value = Number(trimmed);
  const isAccepted = isWhole ? Number.isInteger(value) && Math.abs(value) <= MAX_INT : Number.isFinite(value);
  if (isAccepted) return value;
  byField.set(field, `It is "${trimmed}"; accepted is a ${isWhole ? 'whole ' : ''}number.`);
  return null;
}

// What is sent

type Sent<Input> = Omit<Input, 'task' | 'expectedVersion' | 'idempotencyKey'>;

export function addInput(values: Values): Sent<AddTaskInput> {
  const { name, className, active, timeZone, ownerLegacyId, rules, policy } = values;
  return {
    name,
    className,
    active,
    repeatItems: [...rules],
    ...(timeZone === '' ? {} : { timeZone }),
    ...(ownerLegacyId === null ? {} : { ownerLegacyId }),
    ...(values.data === null && values.dataText === null ? {} : dataInput(values)),
    ...policyInput(
      POLICY_NAMES.filter((each) => policy[each] !== null),
      policy,
    ),
  };
}

/** Only what is not as it was: rules that are sent get new ids. */
export function updateInput(values: Values, base: Values): Sent<UpdateTaskInput> {
  const { name, className, active, timeZone, ownerLegacyId, rules, policy } = values;
  return {
    ...(name === base.name ? {} : { name }),
    ...(className === base.className ? {} : { className }),
    ...(active === base.active ? {} : { active }),
    ...(timeZone === base.timeZone ? {} : { timeZone }),
    ...(ownerLegacyId === base.ownerLegacyId || ownerLegacyId === null ? {} : { ownerLegacyId }),
    ...(sameRules(rules, base.rules) ? {} : { repeatItems: [...rules] }),
    ...(isSameData(values, base) ? {} : dataInput(values)),
    ...policyInput(
      POLICY_NAMES.filter((each) => policy[each] !== base.policy[each]),
      policy,
    ),
  };
}

/** Long numbers are compared as they were written. */
function isSameData(left: Values, right: Values): boolean {
  const texts = [left.dataText?.trim(), right.dataText?.trim()];
  if (texts.every((text) => text !== undefined) && texts.some((text) => LONG_NUMBER.test(text ?? ''))) {
    return texts[0] === texts[1];
  }
  return isEqual(left.data, right.data);
}

function dataInput({ data, dataText }: Values): { data?: unknown; dataText?: string } {
  return dataText === null || dataText.trim() === '' ? { data } : { dataText };
}

function policyInput(names: readonly PolicyName[], policy: Policy): { policy?: TaskPolicyInput } {
  if (names.length === 0) return {};
  const input: Record<string, PolicyValue> = {};
  const retry: Record<string, PolicyValue> = {};
  for (const name of names) {
    if (name.startsWith('retry.')) retry[name.slice('retry.'.length)] = policy[name];
    else input[name] = policy[name];
  }
  const all = Object.keys(retry).length === 0 ? input : { ...input, retry };
  return { policy: all as TaskPolicyInput };
}
