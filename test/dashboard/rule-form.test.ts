// The rules of the task form: whatever rules a task has, the form shows all of their fields.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { RuleFields } from '../../src/calendar/rule-words.ts';
import {
  allItemsOf,
  draftsOf,
  faultsOfNever,
  itemsOf,
  newRule,
  placeRuleFaults,
  type RuleKind,
  sameRules,
  withKind,
} from '../../src/dashboard/editor/rule-form.ts';
import { EVERY } from '../support/calendar-oracle.ts';

const orNull = <Value>(values: fc.Arbitrary<Value>) => fc.option(values, { freq: 2 });
const between = (min: number, max: number) => orNull(fc.integer({ min, max }));
const day = orNull(fc.constantFrom('2026-03-01', '2026-03-02', '9999-12-31'));
/** Any combination of fields, even those that the server refuses; few values, so that some rules are alike. */
const rules = fc.array(
  fc.record({
    start: day,
    end: day,
    intervalDays: between(1, 2),
    year: between(2026, 2027),
    month: between(1, 12),
    dayOfMonth: between(1, 31),
    weekOfMonth: between(1, 5),
    dayOfWeek: between(0, 6),
    hour: between(0, 1),
    minute: between(0, 1),
  }),
  { maxLength: 12 },
);

const FIVE = { hour: 5, minute: 0 };

const KINDS: [RuleFields, RuleKind][] = [
  [{}, 'minutely'],
  [{ minute: 0, end: '2030-01-01' }, 'hourly'],
  [FIVE, 'daily'],
  [{ ...FIVE, dayOfWeek: 0 }, 'weekly'],
  [{ ...FIVE, dayOfMonth: 31, month: 12 }, 'monthly'],
  [{ ...FIVE, weekOfMonth: 5, dayOfWeek: 1 }, 'nthWeekday'],
  [{ ...FIVE, intervalDays: 3, start: '2026-03-01' }, 'interval'],
  [{ ...FIVE, intervalDays: 3, start: '2026-03-01', end: '2026-03-01' }, 'interval'],
  [{ ...FIVE, start: '2026-03-01', end: '2026-03-01' }, 'once'],
  // Rules that are like one of these kinds, with a field more or less.
  [{ ...FIVE, intervalDays: 3, start: '2026-03-01', dayOfWeek: 1 }, 'custom'],
  [{ intervalDays: 3, start: '2026-03-01', minute: 0 }, 'custom'],
  [{ ...FIVE, weekOfMonth: 2 }, 'custom'],
  [{ ...FIVE, dayOfMonth: 13, dayOfWeek: 5 }, 'custom'],
  [{ ...FIVE, year: 2027 }, 'custom'],
  [{ hour: 5 }, 'custom'],
  [{ minute: 5, dayOfWeek: 1 }, 'custom'],
];

describe('rules in a form', () => {
  test('are sent unchanged if nothing was edited, whatever fields they have', () => {
    const unchanged = fc.property(rules, (given) => {
      const drafts = draftsOf(given);
      expect(drafts.flatMap((draft) => [...itemsOf(draft).faults])).toEqual([]);
      const items = allItemsOf(drafts);
      expect(sameRules(items, given)).toBe(true);
      const texts = (of: readonly RuleFields[]) => of.map((rule) => JSON.stringify({ ...EVERY, ...rule })).toSorted();
      expect(texts(items)).toEqual(texts(given));
    });
    fc.assert(unchanged, { numRuns: 1_000 });
  });

  test('that are switched to another kind and back are the same', () => {
    const kinds = fc.constantFrom<RuleKind>('minutely', 'weekly', 'nthWeekday', 'interval', 'custom');
    const shown = fc.property(rules, kinds, (given, kind) => {
      const drafts = draftsOf(given).filter((draft) => draft.kind !== 'once');
      const back = drafts.map((draft) => withKind(withKind(draft, kind), draft.kind));
      expect(back).toEqual(drafts);
    });
    fc.assert(shown, { numRuns: 500 });
  });

  test.each(KINDS)('%j is shown as %s', (rule, kind) => {
    expect(draftsOf([rule])[0]?.kind).toBe(kind);
  });

  test('that differ only in their weekday are one rule, which gives an item for each day', () => {
    const weekly = [1, 3, 5].map((dayOfWeek) => ({ ...FIVE, dayOfWeek }));
    const [draft, ...others] = draftsOf([...weekly, { hour: 6, minute: 0, dayOfWeek: 1 }]);
    expect(draft?.days).toEqual([1, 3, 5]);
    expect(others.length).toBe(1);
    expect(itemsOf({ ...newRule(1), kind: 'weekly', days: [1, 2] }).items).toEqual(
      [1, 2].map((dayOfWeek) => ({ ...EVERY, hour: 9, minute: 0, dayOfWeek })),
    );
  });

  test('report missing fields and invalid numbers without the server', () => {
    const empty = { ...newRule(1), hour: '', minute: '' };
    expect([...itemsOf({ ...empty, kind: 'daily' }).faults]).toEqual([['hour', 'Enter a time.']]);
    expect([...itemsOf({ ...empty, kind: 'weekly' }).faults.keys()]).toEqual(['hour', 'dayOfWeek']);
    expect([...itemsOf({ ...empty, kind: 'custom', year: '2.5' }).faults]).toEqual([
      ['year', 'Must be a whole number, got "2.5".'],
    ]);
  });

  test('once has one day as its first and last; as another kind it has no last day', () => {
    const once = { ...newRule(1), kind: 'once' as const, start: '2026-03-01', end: '2030-01-01' };
    expect(itemsOf(once).items).toEqual([{ ...EVERY, hour: 9, minute: 0, start: '2026-03-01', end: '2026-03-01' }]);
    const [read] = draftsOf(itemsOf(once).items);
    expect(read && withKind(read, 'daily')).toMatchObject({ start: '2026-03-01', end: '' });
  });

  test('have the faults that the server finds in their items', () => {
    const drafts = [
      { ...newRule(7), kind: 'weekly' as const, days: [1, 2] },
      { ...newRule(9), kind: 'daily' as const },
    ];
    const placed = placeRuleFaults(
      [
        ['input.repeatItems.1.hour', 'one'],
        ['input.repeatItems.2.minute', 'two'],
        ['input.repeatItems', 'too many'],
      ],
      drafts,
    );
    expect(placed).toEqual(
      new Map([
        [7, new Map([['hour', 'one']])],
        [9, new Map([['minute', 'two']])],
      ]),
    );
    expect(
      faultsOfNever('input.repeatItems.0.dayOfMonth: no date. Never. input.repeatItems.11.hour: the clock skips it.'),
    ).toEqual([
      ['input.repeatItems.0.dayOfMonth', 'no date. Never.'],
      ['input.repeatItems.11.hour', 'the clock skips it.'],
    ]);
    expect(faultsOfNever('Every repeat item has ended before 2026.')).toEqual([]);
  });
});
