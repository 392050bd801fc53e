// A task's rules as the form shows them: repeat items that differ only in their weekday are one rule of the form, and
// each rule has a familiar kind. A rule that fits no kind is `custom` and shows every field, so that nothing is lost.
import type { RuleFields } from '../../calendar/rule-words.ts';

export type RuleField = keyof RuleFields;

/** All fields but the weekday, of which a rule of the form may have several. */
const TEXT_FIELDS = [
  'start',
  'end',
  'intervalDays',
  'year',
  'month',
  'dayOfMonth',
  'weekOfMonth',
  'hour',
  'minute',
] as const;
export type TextField = (typeof TEXT_FIELDS)[number];

interface Kind {
  label: string;
  /** The required fields. */
  needs: readonly RuleField[];
  /** The optional fields. */
  may: readonly RuleField[];
}

/** A rule has the first kind that shows all of its fields. */
export const KINDS = {
  minutely: { label: 'Every minute', needs: [], may: ['start', 'end'] },
  hourly: { label: 'Every hour', needs: ['minute'], may: ['start', 'end'] },
  // Its last day is its first day.
  once: { label: 'Once', needs: ['start', 'hour', 'minute'], may: [] },
  daily: { label: 'Every day', needs: ['hour', 'minute'], may: ['start', 'end'] },
  weekly: { label: 'On days of the week', needs: ['dayOfWeek', 'hour', 'minute'], may: ['start', 'end'] },
  monthly: { label: 'On a day of the month', needs: ['dayOfMonth', 'hour', 'minute'], may: ['month', 'start', 'end'] },
  nthWeekday: {
    label: 'On the nth weekday of the month',
    needs: ['weekOfMonth', 'dayOfWeek', 'hour', 'minute'],
    may: ['month', 'start', 'end'],
  },
  interval: { label: 'Every N days', needs: ['intervalDays', 'start', 'hour', 'minute'], may: ['end'] },
  custom: { label: 'Custom: all fields', needs: [], may: [...TEXT_FIELDS, 'dayOfWeek'] },
} as const satisfies Record<string, Kind>;
export type RuleKind = keyof typeof KINDS;

export const RULE_KINDS = Object.keys(KINDS) as RuleKind[];

/** The fields that a rule of the kind shows. */
export function fieldsOf(kind: RuleKind): ReadonlySet<RuleField> {
  return new Set<RuleField>([...KINDS[kind].needs, ...KINDS[kind].may]);
}

/** A rule as typed. Fields that its kind does not show are not sent, but kept in case another kind is picked. */
export interface RuleDraft extends Record<TextField, string> {
  /** Unique in its form. */
  key: number;
  kind: RuleKind;
  /** 0 is Sunday. */
  days: readonly number[];
}

/** A new rule: every day at nine. */
export function newRule(key: number): RuleDraft {
  return draftOf({ hour: 9, minute: 0 }, key, []);
}

/** The rule as another kind, with all that was typed, except a last day that only `once` implied. */
export function withKind(draft: RuleDraft, kind: RuleKind): RuleDraft {
  const end = draft.kind === 'once' && kind !== 'once' && draft.end === draft.start ? '' : draft.end;
  return { ...draft, kind, end };
}

/** The rules of the form for a task's repeat items, with keys from 1 on. */
export function draftsOf(rules: readonly RuleFields[]): RuleDraft[] {
  const groups: { likeness: string; rule: RuleFields; days: number[] }[] = [];
  for (const rule of rules) {
    const { dayOfWeek } = rule;
    if (!isSet(dayOfWeek)) {
      groups.push({ likeness: '', rule, days: [] });
      continue;
    }
    const likeness = canonical({ ...rule, dayOfWeek: null });
    // A duplicate stays a rule of its own: a rule of the form has each weekday at most once.
    const group = groups.find((each) => each.likeness === likeness && !each.days.includes(dayOfWeek));
    if (group === undefined) groups.push({ likeness, rule, days: [dayOfWeek] });
    else group.days.push(dayOfWeek);
  }
  return groups.map(({ rule, days }, index) => draftOf(rule, index + 1, days));
}

function draftOf(rule: RuleFields, key: number, days: readonly number[]): RuleDraft {
  const texts = Object.fromEntries(TEXT_FIELDS.map((field) => [field, isSet(rule[field]) ? String(rule[field]) : '']));
  return { ...(texts as Record<TextField, string>), key, kind: kindOf(rule), days };
}

function kindOf(rule: RuleFields): RuleKind {
  const { start, end } = rule;
  const seen = isSet(start) && start === end && !isSet(rule.intervalDays) ? { ...rule, end: null } : rule;
  const set = [...TEXT_FIELDS, 'dayOfWeek' as const].filter((field) => isSet(seen[field]));
  const shows = (kind: RuleKind) =>
    KINDS[kind].needs.every((field) => set.includes(field)) && set.every((field) => fieldsOf(kind).has(field));
  if (seen !== rule && shows('once')) return 'once';
  return RULE_KINDS.find((kind) => kind !== 'once' && shows(kind)) ?? 'custom';
}

const MISSING: Partial<Record<RuleField, string>> = {
  dayOfWeek: 'Pick at least one day.',
  start: 'Pick a date.',
  hour: 'Enter a time.',
};
const WHOLE = /^\d{1,6}$/;

/** Faults found without the server: a required field is empty, or a text is not a whole number. */
export type RuleFaults = ReadonlyMap<RuleField, string>;

/** The repeat items of a rule, one for each weekday, and the faults of what was typed. */
export function itemsOf(draft: RuleDraft): { items: Required<RuleFields>[]; faults: RuleFaults } {
  const { needs } = KINDS[draft.kind];
  const shown = fieldsOf(draft.kind);
  const faults = new Map<RuleField, string>();
  const read = (field: TextField): string | null => {
    const text = shown.has(field) ? draft[field].trim() : '';
    if (text !== '') return text;
    if ((needs as readonly RuleField[]).includes(field)) faults.set(field, MISSING[field] ?? 'Enter a number.');
    return null;
  };
  const number = (field: TextField): number | null => {
    const text = read(field);
    if (text === null || WHOLE.test(text)) return text === null ? null : Number(text);
    faults.set(field, `Must be a whole number, got "${text}".`);
    return null;
  };
  const start = read('start');
  const rule = {
    start,
    end: draft.kind === 'once' ? start : read('end'),
    intervalDays: number('intervalDays'),
    year: number('year'),
    month: number('month'),
    dayOfMonth: number('dayOfMonth'),
    weekOfMonth: number('weekOfMonth'),
    hour: number('hour'),
    minute: number('minute'),
  };
  // Hour and minute share an input.
  if (faults.has('hour')) faults.delete('minute');
  const days = shown.has('dayOfWeek') ? draft.days : [];
  if (days.length === 0 && (needs as readonly RuleField[]).includes('dayOfWeek')) {
    faults.set('dayOfWeek', MISSING.dayOfWeek ?? '');
  }
  const items = days.length === 0 ? [{ ...rule, dayOfWeek: null }] : days.map((dayOfWeek) => ({ ...rule, dayOfWeek }));
  return { items, faults };
}

/** The repeat items of all rules, in their order. */
export function allItemsOf(drafts: readonly RuleDraft[]): Required<RuleFields>[] {
  return drafts.flatMap((draft) => itemsOf(draft).items);
}

/** Whether two lists have the same repeat items, in any order. */
export function sameRules(left: readonly RuleFields[], right: readonly RuleFields[]): boolean {
  const [one, other] = [left, right].map((rules) => rules.map(canonical).toSorted().join());
  return one === other;
}

function canonical(rule: RuleFields): string {
  return JSON.stringify([...TEXT_FIELDS, 'dayOfWeek' as const].map((field) => rule[field] ?? null));
}

/** The server's faults of repeat items, `input.repeatItems.INDEX.FIELD`, by the key of the rule that has the item. */
export function placeRuleFaults(
  faults: Iterable<readonly [string, string]>,
  drafts: readonly RuleDraft[],
): Map<number, Map<RuleField, string>> {
  const keys = drafts.flatMap((draft) => itemsOf(draft).items.map(() => draft.key));
  const placed = new Map<number, Map<RuleField, string>>();
  for (const [field, message] of faults) {
    const [, index, name] = /^input\.repeatItems\.(\d+)\.(\w+)$/.exec(field) ?? [];
    const key = keys[Number(index)];
    if (key === undefined || name === undefined) continue;
    const known = placed.get(key) ?? new Map<RuleField, string>();
    if (!known.has(name as RuleField)) known.set(name as RuleField, message);
    placed.set(key, known);
  }
  return placed;
}

/** What a preview says of rules none of which can ever fire, as faults of their fields; none where it says it of all together. */
export function faultsOfNever(text: string): [string, string][] {
  return text
    .split(/(?:^| )(?=input\.repeatItems\.\d+\.)/)
    .map((part) => /^(input\.repeatItems\.\d+\.\w+): (.*)$/s.exec(part))
    .filter((match) => match !== null)
    .map(([, field = '', message = '']) => [field, message]);
}

function isSet<Value>(value: Value | null | undefined): value is Value {
  return value !== null && value !== undefined;
}
