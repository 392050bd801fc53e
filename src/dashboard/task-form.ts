// What the form of a task says: from a task to what is typed, from there to the input of a mutation, and what differs where
// two people have changed one task.
import {
  type DataFault,
  type DataField,
  type Draft,
  fieldOf,
  isEqual,
  type Json,
  readData,
  writeData,
} from './data-form.ts';
import type {
  AddTaskInput,
  CatchUpPolicy,
  EditedTaskQuery,
  OverlapPolicy,
  TaskClassesQuery,
  TaskPolicyInput,
  UpdateTaskInput,
} from './operations.ts';
import { draftsOf, itemsOf, placeRuleFaults, type RuleDraft, sameRules } from './rule-form.ts';
import { type RuleFields, rulesInWords } from './rule-words.ts';

export type EditedTask = NonNullable<EditedTaskQuery['task']>;
export type TaskClass = TaskClassesQuery['taskClasses'][number];

interface PolicyField {
  label: string;
  hint: string;
  /** Choices, or which numbers it takes. */
  accepts: 'whole' | 'number' | readonly (readonly [value: string, words: string])[];
}

const OVERLAPS: readonly (readonly [OverlapPolicy, string])[] = [
  ['SKIP', 'Skip the slot'],
  ['QUEUE', 'Wait for it to end'],
  ['ALLOW', 'Run beside it'],
  ['CANCEL_RUNNING', 'Cancel it'],
];
const CATCH_UPS: readonly (readonly [CatchUpPolicy, string])[] = [
  ['LATEST', 'Run the newest alone'],
  ['ALL', 'Run every one'],
  ['NONE', 'Run none'],
];

/** By their path in the policy input. */
export const POLICY = {
  overlap: { label: 'Overlap', hint: 'What a slot does while an earlier run has not ended.', accepts: OVERLAPS },
  queueLimit: { label: 'Queue limit', hint: 'How many runs may wait, 1 to 10000.', accepts: 'whole' },
  catchUp: { label: 'Catch-up', hint: 'Which slots are run that were missed in an outage.', accepts: CATCH_UPS },
  catchUpMaxAgeSeconds: {
    label: 'Catch-up max age, seconds',
    hint: 'A missed slot that is older is never run. No bound where it is empty.',
    accepts: 'whole',
  },
  misfireGraceSeconds: {
    label: 'Misfire grace, seconds',
    hint: 'A slot that is so late is missed, 1 to 86400.',
    accepts: 'whole',
  },
  'retry.attempts': { label: 'Attempts', hint: 'Tries of one run, the first included, 1 to 100.', accepts: 'whole' },
  'retry.delaySeconds': {
    label: 'Retry delay, seconds',
    hint: 'Before the second try, 0 to 86400.',
    accepts: 'whole',
  },
  'retry.backoff': {
    label: 'Backoff',
    hint: 'Each further delay is so many times the one before, 1 to 10.',
    accepts: 'number',
  },
  'retry.jitter': {
    label: 'Jitter',
    hint: 'Up to this part of a delay is added at random, 0 to 1.',
    accepts: 'number',
  },
  timeoutSeconds: { label: 'Timeout, seconds', hint: 'What one attempt may take, 1 to 82800.', accepts: 'whole' },
} as const satisfies Record<string, PolicyField>;
export type PolicyName = keyof typeof POLICY;
export const POLICY_NAMES = Object.keys(POLICY) as PolicyName[];

type PolicyValue = string | number | null;
type Policy = Record<PolicyName, PolicyValue>;

/** What a new task has where neither its class nor whoever adds it says otherwise. */
export const PRODUCT_POLICY: Policy = {
  overlap: 'SKIP',
  queueLimit: 100,
  catchUp: 'LATEST',
  catchUpMaxAgeSeconds: null,
  misfireGraceSeconds: 60,
  'retry.attempts': 1,
  'retry.delaySeconds': 30,
  'retry.backoff': 2,
  'retry.jitter': 0,
  timeoutSeconds: 900,
};

/** The policy of a new task of the class where whoever adds it does not say. */
export function defaultPolicy(taskClass: TaskClass | undefined): Policy {
  const { overlap, timeoutSeconds, retry } = taskClass?.defaults ?? {};
  const { attempts, delaySeconds, backoff, jitter } = retry ?? {};
  return {
    ...PRODUCT_POLICY,
    overlap: overlap ?? PRODUCT_POLICY.overlap,
    timeoutSeconds: timeoutSeconds ?? PRODUCT_POLICY.timeoutSeconds,
    'retry.attempts': attempts ?? PRODUCT_POLICY['retry.attempts'],
    'retry.delaySeconds': delaySeconds ?? PRODUCT_POLICY['retry.delaySeconds'],
    'retry.backoff': backoff ?? PRODUCT_POLICY['retry.backoff'],
    'retry.jitter': jitter ?? PRODUCT_POLICY['retry.jitter'],
  };
}

function policyOf(task: EditedTask): Policy {
  const { overlap, queueLimit, catchUp, catchUpMaxAgeSeconds, misfireGraceSeconds, retry, timeoutSeconds } = task;
  return {
    overlap,
    queueLimit,
    catchUp,
    catchUpMaxAgeSeconds,
    misfireGraceSeconds,
    'retry.attempts': retry.attempts,
    'retry.delaySeconds': retry.delaySeconds,
    'retry.backoff': retry.backoff,
    'retry.jitter': retry.jitter,
    timeoutSeconds,
  };
}

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
function withoutEmpty(data: Json | undefined): Json {
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

function asText(data: Json): string {
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

/** What is wrong, by the path of the input; of the data by the path in them; what has no place in the form. */
export interface FormFaults {
  byField: ReadonlyMap<string, string>;
  data: readonly DataFault[];
  other: string | null;
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
export function isSameData(left: Values, right: Values): boolean {
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

// Two changes of one task

/** A part of a task, with what each side has of it in words. */
export interface Difference {
  key: string;
  label: string;
  mine: string;
  theirs: string;
  /** Who has changed it since both began. */
  changedBy: 'me' | 'them' | 'both';
}

interface Part {
  label: string;
  value: Json | undefined;
  words: string;
}

const NOTHING: Part = { label: '', value: undefined, words: 'nothing' };

/** Data by their keys; all else as the form has it. */
function partsOf(values: Values): Map<string, Part> {
  const parts = new Map<string, Part>();
  const add = (key: string, label: string, value: Json, words = String(value ?? 'none')) =>
    parts.set(key, { label, value, words });
  add('name', 'Name', values.name);
  add('className', 'Class', values.className);
  add('active', 'Active', values.active, values.active ? 'yes' : 'paused');
  add('timeZone', 'Time zone', values.timeZone);
  add('ownerLegacyId', 'Owner', values.ownerLegacyId);
  const rules = values.rules.map((rule) => JSON.stringify(Object.entries(rule).toSorted())).toSorted();
  add('rules', 'Rules', rules, rulesInWords(values.rules).join('\n') || 'none: on request alone');
  for (const [key, value] of Object.entries(values.data ?? {})) {
    add(`data.${key}`, `Data: ${key}`, value, typeof value === 'string' ? value : asText(value));
  }
  for (const name of POLICY_NAMES) {
    const { label, accepts } = POLICY[name];
    const value = values.policy[name];
    const choice = typeof accepts === 'string' ? undefined : accepts.find(([each]) => each === value);
    add(`policy.${name}`, label, value, choice?.[1]);
  }
  return parts;
}

/** All in which what I have typed and what somebody else has saved differ; `base` is what I began with. */
export function differencesOf(mine: Values, base: Values, theirs: Values): Difference[] {
  const [own, begun, saved] = [partsOf(mine), partsOf(base), partsOf(theirs)];
  const keys = [...new Set([...own.keys(), ...saved.keys()])];
  return keys.flatMap((key): Difference[] => {
    const [one = NOTHING, other = NOTHING] = [own.get(key), saved.get(key)];
    if (isEqual(one.value, other.value)) return [];
    const before = begun.get(key)?.value;
    const changedBy = isEqual(one.value, before) ? 'them' : isEqual(other.value, before) ? 'me' : 'both';
    return [{ key, label: one.label || other.label, mine: one.words, theirs: other.words, changedBy }];
  });
}

/** What I have typed, but of the given parts what is saved. */
export function mergedValues(mine: Values, theirs: Values, taken: ReadonlySet<string>): Values {
  const side = (key: string) => (taken.has(key) ? theirs : mine);
  const entries = new Map<string, Json>();
  for (const [key, value] of Object.entries(mine.data ?? {})) if (!taken.has(`data.${key}`)) entries.set(key, value);
  for (const [key, value] of Object.entries(theirs.data ?? {})) if (taken.has(`data.${key}`)) entries.set(key, value);
  const data = withoutEmpty(Object.fromEntries(entries));
  return {
    name: side('name').name,
    className: side('className').className,
    active: side('active').active,
    timeZone: side('timeZone').timeZone,
    ownerLegacyId: side('ownerLegacyId').ownerLegacyId,
    rules: side('rules').rules,
    data,
    dataText: isEqual(data, mine.data) ? mine.dataText : isEqual(data, theirs.data) ? theirs.dataText : null,
    policy: Object.fromEntries(POLICY_NAMES.map((name) => [name, side(`policy.${name}`).policy[name]])) as Policy,
  };
}

/** Where the fault of a rule's field is found. */
export function ruleField(key: number, field: string): string {
  return `rule.${key}.${field}`;
}

// What the server finds wrong

const PLACED: ReadonlySet<string> = new Set([
  ...['name', 'className', 'active', 'timeZone', 'ownerLegacyId', 'repeatItems', 'data', 'dataText'],
  ...POLICY_NAMES.map((name) => `policy.${name}`),
]);

/** Puts the server's faults where a form with these rules shows them. */
export function placeFaults(found: Pick<FormFaults, 'byField' | 'other'>, rules: readonly RuleDraft[]): FormFaults {
  const byField = new Map<string, string>();
  const data: DataFault[] = [];
  const other = found.other === null ? [] : [found.other];
  for (const [field, message] of found.byField) {
    if (field.startsWith('input.data.')) data.push(...dataFaultsOf(field, message));
    else if (PLACED.has(field.replace('input.', ''))) byField.set(field, message);
    else if (!field.startsWith('input.repeatItems.')) other.push(`${field}: ${message}`);
  }
  for (const [key, faults] of placeRuleFaults(found.byField, rules)) {
    for (const [field, message] of faults) byField.set(ruleField(key, field), message);
  }
  return { byField, data, other: other.length === 0 ? null : other.join(' ') };
}

const SEGMENT = /\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]|([^.[\]]+)/g;

/** A class that is code says all that it finds, a paragraph each: `✖ message`, and `→ at path`. */
function dataFaultsOf(field: string, message: string): DataFault[] {
  const path = field.split('.').slice(2);
  if (!message.startsWith('✖ ')) return [{ path, message }];
  return message
    .split(/(?:^|\n)✖ /)
    .slice(1)
    .map((part) => {
      const [text = '', at] = part.split('\n  → at ');
      const segments = [...(at ?? '').matchAll(SEGMENT)].map(([, index, quoted, plain]) => {
        if (index !== undefined) return Number(index);
        return quoted === undefined ? (plain ?? '') : (JSON.parse(quoted) as string);
      });
      return { path: segments, message: text };
    });
}
