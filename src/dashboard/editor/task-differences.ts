// Compares and merges two versions of a task that two users have changed.
import { rulesInWords } from '../../calendar/rule-words.ts';
import type { Json } from './data-fields.ts';
import { isEqual } from './data-form.ts';
import { POLICY, POLICY_NAMES, type Policy } from './task-policy.ts';
import { type Values, withoutEmpty } from './task-values.ts';
import { asText } from './typed-data.ts';

/** A part of a task that differs, with both versions in words. */
export interface Difference {
  key: string;
  label: string;
  mine: string;
  theirs: string;
  /** Who has changed it since both started editing. */
  changedBy: 'me' | 'them' | 'both';
}

interface Part {
  label: string;
  value: Json | undefined;
  words: string;
}

const UNSET: Part = { label: '', value: undefined, words: 'not set' };

/** The parts that can be picked: each key of the data, and each other field of the form. */
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
  add('rules', 'Rules', rules, rulesInWords(values.rules).join('\n') || 'none (runs only on request)');
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

/** The differences between the typed version `mine` and the saved version `theirs`; `base` is where editing started. */
export function differencesOf(mine: Values, base: Values, theirs: Values): Difference[] {
  const [own, begun, saved] = [partsOf(mine), partsOf(base), partsOf(theirs)];
  const keys = [...new Set([...own.keys(), ...saved.keys()])];
  return keys.flatMap((key): Difference[] => {
    const [one = UNSET, other = UNSET] = [own.get(key), saved.get(key)];
    if (isEqual(one.value, other.value)) return [];
    const before = begun.get(key)?.value;
    const changedBy = isEqual(one.value, before) ? 'them' : isEqual(other.value, before) ? 'me' : 'both';
    return [{ key, label: one.label || other.label, mine: one.words, theirs: other.words, changedBy }];
  });
}

/** `mine`, but with the parts in `taken` from `theirs`. */
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
