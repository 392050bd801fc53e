// What users give of a task is refused by the place of the value in the task, whoever asks: GraphQL, a file or an import.
import { expect, test } from 'vitest';
import { Fault } from '../../src/lib/faults.ts';
import { checkData, readData } from '../../src/tasks/data.ts';
import { readName, readTimeZone } from '../../src/tasks/fields.ts';
import { readPolicy } from '../../src/tasks/policy.ts';
import { readDraftRules, readRepeatItems } from '../../src/tasks/repeat-items.ts';

const BERLIN = 'Europe/Berlin';

function fieldOf(read: () => unknown): Fault['field'] | null {
  try {
    read();
    return null;
  } catch (error) {
    if (error instanceof Fault) return error.field;
    throw error;
  }
}

const picky = {
  name: 'picky',
  title: '',
  description: '',
  dataSchema: {},
  defaults: {},
  exclusive: false,
  findFault: () => ({ path: ['hosts', 1], message: 'must be a text, got 7' }),
};

test.each<[string, () => unknown, Fault['field']]>([
  ['an empty name', () => readName(''), ['name']],
  ['a zone that is none', () => readTimeZone('Europe/Atlantis'), ['timeZone']],
  ['data that is a list', () => readData({ data: [1] }), ['data']],
  ['text that is no JSON', () => readData({ dataText: '{' }), ['dataText']],
  ['data given twice', () => readData({ data: {}, dataText: '{}' }), ['dataText']],
  ['data that the class does not take', () => checkData(picky, { hosts: ['a', 7] }), ['data', 'hosts', 1]],
  ['a queue without a place', () => readPolicy({ queueLimit: 0 }), ['policy', 'queueLimit']],
  ['no attempts', () => readPolicy({ retry: { attempts: 0 } }), ['policy', 'retry', 'attempts']],
  ['an hour of no clock', () => readDraftRules([{ hour: 1 }, { hour: 24 }]), ['repeatItems', 1, 'hour']],
  ['too many rules', () => readDraftRules(Array.from({ length: 101 }, () => ({}))), ['repeatItems']],
])('%s is refused by its place', (_what, read, field) => {
  expect(fieldOf(read)).toEqual(field);
});

test('a rule that can never fire may be drafted, and not be stored', () => {
  const never = [{ month: 2, dayOfMonth: 30 }];
  expect(readDraftRules(never)).toMatchObject(never);
  expect(fieldOf(() => readRepeatItems(never, BERLIN))).toEqual(['repeatItems', 0, expect.any(String)]);
});

test('a field that is left out of a policy sets no column, and so does null, except for the age of missed slots', () => {
  expect(readPolicy({ queueLimit: null, catchUpMaxAgeSeconds: null, retry: { jitter: 0 } })).toEqual({
    catchUpMaxAgeSeconds: null,
    retryJitter: 0,
  });
});

test('data that is empty is none, and other data keeps the text of its sender', () => {
  expect(readData({})).toBeUndefined();
  expect(readData({ dataText: '[]' })).toBeNull();
  expect(readData({ data: {} })).toBeNull();
  expect(readData({ dataText: '{ "a": 1.0 }' })).toEqual({ text: '{ "a": 1.0 }', value: { a: 1 } });
});
