// A task's rules as a form has them: repeat items that differ by their weekday alone are one rule of the form, of a kind
// that people know. What fits none of the kinds is `custom` and shows every field, so that no rule loses anything.
import type { RuleFields } from '../../calendar/rule-words.ts';

export type RuleField = keyof RuleFields;

/** All but the weekday, which a rule of the form may have several of. */
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
  /** Without these the rule is not whole. */
  needs: readonly RuleField[];
  /** These are shown and may be empty. */
  may: readonly RuleField[];
}

/** A rule is of the first kind that shows all it has. */
export const KINDS = {
  minutely: { label: 'Every minute', needs: [], may: ['start', 'end'] },
  hourly: { label: 'Every hour', needs: ['minute'], may: ['start', 'end'] },
  // Its last day is its first one.
  once: { label: 'Once', needs: ['start', 'hour', 'minute'], may: [] },
  daily: { label: 'Every day', needs: ['hour', 'minute'], may: ['start', 'end'] },
  weekly: { label: 'On days of the week', needs: ['dayOfWeek', 'hour', 'minute'], may: ['start', 'end'] },
  monthly: { label: 'On a day of the month', needs: ['dayOfMonth', 'hour', 'minute'], may: ['month', 'start', 'end'] },
  nthWeekday: {
    label: 'On the nth weekday of the month',
    needs: ['weekOfMonth', 'dayOfWeek', 'hour', 'minute'],
    may: ['month', 'start', 'end'],
  },
  interval: { label: 'Every so many days', needs: ['intervalDays', 'start', 'hour', 'minute'], may: ['end'] },
  custom: { label: 'Custom: all fields', needs: [], may: [...TEXT_FIELDS, 'dayOfWeek'] },
} as const satisfies Record<string, Kind>;
export type RuleKind = keyof typeof KINDS;

export const RULE_KINDS = Object.keys(KINDS) as RuleKind[];

/** Which fields a rule of the kind shows. */
export function fieldsOf(kind: RuleKind): ReadonlySet<RuleField> {
  return new Set<RuleField>([...KINDS[kind].needs, ...KINDS[kind].may]);
}

/** A rule as it is typed. What its kind does not show is kept for when another kind is picked, and not sent. */
export interface RuleDraft extends Record<TextField, string> {
  /** Unique in its form. */
  key: number;
  kind: RuleKind;
  /** 0 is Sunday. */
  days: readonly number[];
}

/** What comes to mind first: every day at nine. */
export function newRule(key: number): RuleDraft {
  return draftOf({ hour: 9, minute: 0 }, key, []);
}

/** The other kind, with all that was typed; a last day that was only that of `once` goes. */
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
    // The same rule twice stays two: a rule of the form has a weekday once.
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
  dayOfWeek: 'Pick a day at least.',
  start: 'Pick a date.',
  hour: 'Give a time.',
};
const WHOLE = /^\d{1,6}$/;

/** What the server need not be asked about: a field that the kind needs is empty, or a text is no number. */
export type RuleFaults = ReadonlyMap<RuleField, string>;

/** The repeat items of a rule, one for each weekday, and what is wrong with what was typed. */
export function itemsOf(draft: RuleDraft): { items: Required<RuleFields>[]; faults: RuleFaults } {
  const { needs } = KINDS[draft.kind];
  const shown = fieldsOf(draft.kind);
  const faults = new Map<RuleField, string>();
  const read = (field: TextField): string | null => {
    const text = shown.has(field) ? draft[field].trim() : '';
    if (text !== '') return text;
    if ((needs as readonly RuleField[]).includes(field)) faults.set(field, MISSING[field] ?? 'Give a number.');
    return null;
  };
  const number = (field: TextField): number | null => {
    const text = read(field);
    if (text === null || WHOLE.test(text)) return text === null ? null : Number(text);
    faults.set(field, `It is "${text}"; accepted is a whole number.`);
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
  // Both are of one input.
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

/** Whether two lists of repeat items say the same; their order says nothing. */
export function sameRules(left: readonly RuleFields[], right: readonly RuleFields[]): boolean {
  const [one, other] = [left, right].map((rules) => rules.map(canonical).toSorted().join());
  return one === other;
}

function canonical(rule: RuleFields): string {
  return JSON.stringify([...TEXT_FIELDS, 'dayOfWeek' as const].map((field) => rule[field] ?? null));
}

/** Faults of the server at `PATH.INDEX.FIELD`, by the key of the rule whose item it is. */
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
