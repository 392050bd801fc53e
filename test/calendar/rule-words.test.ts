// How the dashboard says a task's rules.
import { expect, test } from 'vitest';
import { type RuleFields, rulesInWords } from '../../src/calendar/rule-words.ts';

const EVERY: RuleFields = { hour: null, minute: 0 };
const weekly = (...days: number[]): RuleFields[] =>
  days.map((dayOfWeek) => ({ dayOfWeek, hour: 20, minute: 0, start: '2015-05-06', end: null }));

const CASES: [RuleFields[], string[]][] = [
  [weekly(4, 5, 6, 0), ['Thursday, Friday, Saturday and Sunday at 20:00, from 6 May 2015']],
  [weekly(4), ['Thursday at 20:00, from 6 May 2015']],
  [[{ hour: 3, minute: 5 }], ['Every day at 03:05']],
  [[{ minute: null }], ['Every minute']],
  [[EVERY], ['Every hour']],
  [[{ ...EVERY, minute: 15 }], ['Every hour at minute 15']],
  [[{ hour: 4, minute: null }], ['Every minute from 04:00 to 04:59']],
  [[{ ...EVERY, dayOfWeek: 1 }], ['Monday, every hour']],
  [[{ dayOfMonth: 1, hour: 3, minute: 0 }], ['Day 1 of the month at 03:00']],
  [[{ dayOfMonth: 13, dayOfWeek: 5, hour: 0, minute: 0 }], ['Day 13 of the month if it is a Friday at 00:00']],
  [[{ weekOfMonth: 2, dayOfWeek: 2, hour: 3, minute: 0 }], ['The second Tuesday of the month at 03:00']],
  [[{ weekOfMonth: 2, hour: 3, minute: 0 }], ['Days 8 to 14 of the month at 03:00']],
  [[{ weekOfMonth: 5, hour: 3, minute: 0 }], ['Days 29 to 31 of the month at 03:00']],
  [[{ month: 5, hour: 1, minute: 0 }], ['Every day at 01:00 in May']],
  [[{ month: 5, year: 2027, dayOfMonth: 2, hour: 1, minute: 0 }], ['Day 2 of the month at 01:00 in May 2027']],
  [[{ year: 2027, hour: 1, minute: 0 }], ['Every day at 01:00 in 2027']],
  [
    [{ intervalDays: 3, start: '2030-01-01', hour: 1, minute: 0 }],
    ['Every 3 days counted from 1 January 2030 at 01:00'],
  ],
  [[{ intervalDays: 1, start: '2030-01-01', hour: null, minute: 0 }], ['Every day at 00:00, from 1 January 2030']],
  [[{ hour: 1, minute: 0, start: '2026-03-01', end: '2026-03-01' }], ['Every day at 01:00, on 1 March 2026 alone']],
  [[{ hour: 1, minute: 0, end: '2026-03-01' }], ['Every day at 01:00, until 1 March 2026']],
  [
    [{ hour: 1, minute: 0, start: '2026-02-01', end: '2026-03-01' }],
    ['Every day at 01:00, from 1 February 2026 until 1 March 2026'],
  ],
  [
    [...weekly(1, 2), { dayOfWeek: 1, hour: 6, minute: 0 }],
    ['Monday and Tuesday at 20:00, from 6 May 2015', 'Monday at 06:00'],
  ],
  [[], []],
];

test.each(CASES)('%j', (rules, words) => {
  expect(rulesInWords(rules)).toEqual(words);
});
