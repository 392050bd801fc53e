import { describe, expect, test } from 'vitest';
import { ACTIONS } from '../../src/legacy/actions.ts';
import { readInput } from '../../src/legacy/input.ts';
import { type JsonObject, parseJsonForPhp } from '../../src/legacy/php/json-decode.ts';
import { parsePhpQuery } from '../../src/legacy/php/query.ts';
import type { PhpArray } from '../../src/legacy/php/value.ts';
import { EVERY } from '../support/calendar-oracle.ts';

function read(action: string, parameters: PhpArray) {
  const row = ACTIONS.find(({ name }) => name === action);
  if (row === undefined) throw new Error(`no action ${action}`);
  return readInput(row, parameters);
}

function fromJson(fields: object): PhpArray {
  return parseJsonForPhp(JSON.stringify(fields)) as JsonObject;
}

const TASK = { user_id: 31, name: 'Process Holding Tank', class_name: '\\x', active: true, repeat_items: [] };
const readTask = (fields: object) => read('addTask', fromJson({ ...TASK, ...fields }));
const readItem = (fields: object) => readTask({ repeat_items: [fields] }).repeatItems?.[0];

const EVERY_HOUR = { ...EVERY, minute: 0 };

describe('bad input is refused in words that name the parameter, what it got and what it accepts', () => {
  const repeatPath = (field: string) => `repeat_items[0][${field}]`;
  test.each<[object, string, string, string]>([
    [{ user_id: null }, 'user_id', 'null', 'a whole number, 1 or more'],
    [{ user_id: 0 }, 'user_id', '0', 'a whole number, 1 or more'],
    [{ user_id: '3x' }, 'user_id', '"3x"', 'a whole number, 1 or more'],
    [{ user_id: '' }, 'user_id', '""', 'a whole number, 1 or more'],
    [{ user_id: 1.5 }, 'user_id', '1.5', 'a whole number, 1 or more'],
    [{ user_id: true }, 'user_id', 'true', 'a whole number, 1 or more'],
    [{ user_id: 2 ** 31 }, 'user_id', '2147483648', 'a whole number, 1 or more'],
    [{ user_id: [1] }, 'user_id', 'an array', 'a whole number, 1 or more'],
    [{ name: '' }, 'name', '""', 'a text that is not empty'],
    [{ name: 'a\0b' }, 'name', '"a\\u0000b"', 'no NUL character'],
    [{ name: 5 }, 'name', '5', 'a text'],
    [{ name: { a: 1 } }, 'name', 'an object or array', 'a text'],
    [{ class_name: undefined }, 'class_name', 'nothing', 'a text'],
    [{ active: undefined }, 'active', 'nothing', 'true, false, 1 or 0'],
    [{ active: 'yes' }, 'active', '"yes"', 'true, false, 1 or 0'],
    [{ active: 2 }, 'active', '2', 'true, false, 1 or 0'],
    [{ active: 'TRUE' }, 'active', '"TRUE"', 'true, false, 1 or 0'],
    [{ data: 5 }, 'data', '5', 'a JSON object, or null'],
    [{ data: 'text' }, 'data', '"text"', 'a JSON object, or null'],
    [{ data: '{"a":' }, 'data', '"{\\"a\\":"', 'a JSON object, or null'],
    [{ data: '{"a":1e999}' }, 'data', '"{\\"a\\":1e999}"', 'a JSON object, or null'],
    [{ data: 'x'.repeat(200) }, 'data', `"${'x'.repeat(100)}"...`, 'a JSON object, or null'],
    [{ repeat_items: undefined }, 'repeat_items', 'nothing', 'empty for a task that only runs when asked'],
    [{ repeat_items: 'x' }, 'repeat_items', '"x"', 'an array of objects'],
    [{ repeat_items: [5] }, 'repeat_items[0]', '5', 'an object with the fields repeat_start to repeat_minute'],
    [{ repeat_items: { a: {} } }, 'repeat_items[a]', 'an empty object', 'a number as the key'],
    [{ repeat_items: undefined, repeat_hour: 24 }, 'repeat_hour', '24', 'a whole number from 0 to 23'],
    [{ repeat_items: { 7: { repeat_hour: 24 } } }, 'repeat_items[7][repeat_hour]', '24', 'from 0 to 23'],
    [
      { repeat_items: [{ repeat_start: '2015-02-30' }] },
      repeatPath('repeat_start'),
      '"2015-02-30"',
      'a date that exists',
    ],
    [{ repeat_items: [{ repeat_end: '06.05.2015' }] }, repeatPath('repeat_end'), '"06.05.2015"', 'as YYYY-MM-DD'],
    [{ repeat_items: [{ repeat_end: '*' }] }, repeatPath('repeat_end'), '"*"', 'a date that exists'],
    [{ repeat_items: [{ repeat_interval: 0 }] }, repeatPath('repeat_interval'), '0', 'a whole number, 1 or more'],
    [{ repeat_items: [{ repeat_year: '15' }] }, repeatPath('repeat_year'), '"15"', 'a whole number from 1000 to 9999'],
    [{ repeat_items: [{ repeat_month: 13 }] }, repeatPath('repeat_month'), '13', 'from 1 to 12, or "*" for every'],
    [{ repeat_items: [{ repeat_day: 32 }] }, repeatPath('repeat_day'), '32', 'from 1 to 31, or "*" for every'],
    [{ repeat_items: [{ repeat_week: 6 }] }, repeatPath('repeat_week'), '6', 'from 1 to 5, or "*" for every'],
    [{ repeat_items: [{ repeat_weekday: 7 }] }, repeatPath('repeat_weekday'), '7', 'from 0 to 6, or "*" for every'],
    [{ repeat_items: [{ repeat_hour: '-1' }] }, repeatPath('repeat_hour'), '"-1"', 'from 0 to 23, or "*" for every'],
    [{ repeat_items: [{ repeat_minute: 60 }] }, repeatPath('repeat_minute'), '60', 'from 0 to 59, or "*" for every'],
    [{ repeat_items: [{ repeat_minute: false }] }, repeatPath('repeat_minute'), 'false', 'from 0 to 59'],
  ])('%j', (fields, parameter, got, accepted) => {
    expect(() => readTask(fields)).toThrow(`${parameter}: must be `);
    expect(() => readTask(fields)).toThrow(accepted);
    expect(() => readTask(fields)).toThrow(`, got ${got}`);
  });

  test.each([
    ['updateTask', 'id'],
    ['deleteTask', 'taskId'],
    ['executeTask', 'taskId'],
    ['getTaskHistory', 'taskId'],
  ])('the id that %s requires', (action, parameter) => {
    expect(() => read(action, parsePhpQuery(''))).toThrow(`${parameter}: must be the id of a task`);
    expect(() => read(action, parsePhpQuery(`${parameter}=0`))).toThrow(', got "0"');
    expect(() => read(action, parsePhpQuery(`${parameter}=%FF`))).toThrow(', got bytes that are not UTF-8');
    expect(read(action, parsePhpQuery(`${parameter}=+08+&user_id=1&name=n&class_name=c&active=`)).task).toEqual({
      legacyId: 8,
    });
  });
});

describe('values are accepted as old callers spell them', () => {
  test('flags', () => {
    for (const active of [true, 1, '1', 'true']) expect(readTask({ active }).active).toBe(true);
    for (const active of [false, 0, '0', 'false', '']) expect(readTask({ active }).active).toBe(false);
  });

  test('numbers with leading zeros and blanks around', () => {
    expect(readTask({ user_id: ' 031\n' }).ownerLegacyId).toBe(31);
    expect(readItem({ repeat_hour: '08' })).toEqual({ ...EVERY_HOUR, hour: 8 });
  });

  test('absent calendar fields as empty, null or a star, of which a star as the minute is every minute', () => {
    for (const absent of ['', null, undefined]) {
      expect(
        readItem({ repeat_hour: absent, repeat_minute: absent, repeat_start: absent, repeat_interval: absent }),
      ).toEqual(EVERY_HOUR);
    }
    expect(readItem({ repeat_hour: '*', repeat_day: '*', repeat_year: '*' })).toEqual(EVERY_HOUR);
    expect(readItem({ repeat_minute: '*' })).toEqual({ ...EVERY_HOUR, minute: null });
  });

  test('repeat items as an array, as a form array and as a map from numbers, in the order given', () => {
    const hours = (parameters: PhpArray) => read('addTask', parameters).repeatItems?.map(({ hour }) => hour);
    expect(readTask({ repeat_items: [{ repeat_hour: 2 }, [], { repeat_hour: 1 }] }).repeatItems).toHaveLength(3);
    const head = 'user_id=1&name=n&class_name=c&active=1';
    expect(hours(parsePhpQuery(`${head}&repeat_items[9][repeat_hour]=2&repeat_items[1][repeat_hour]=1`))).toEqual([
      2, 1,
    ]);
    const json = JSON.stringify({ ...TASK, repeat_items: 0 }).replace(':0}', ':{"9":{"repeat_hour":2},"1":{}}}');
    expect(hours(parseJsonForPhp(json) as JsonObject)).toEqual([2, null]);
  });

  test('fields beside the task as its one item, where there are no repeat items', () => {
    const { repeatItems } = readTask({ repeat_items: undefined, repeat_start: '2015-05-06', repeat_weekday: 4 });
    expect(repeatItems).toEqual([{ ...EVERY_HOUR, start: '2015-05-06', dayOfWeek: 4 }]);
    expect(readTask({ repeat_hour: 99 }).repeatItems).toEqual([]);
  });

  test('data as an object, kept as it was written, or as a text that holds one', () => {
    const json = JSON.stringify({ ...TASK, data: 0 }).replace('"data":0', '"data":{ "b": 1.0, "a": {} }');
    expect(read('addTask', parseJsonForPhp(json) as JsonObject).dataText).toBe('{ "b": 1.0, "a": {} }');
    expect(readTask({ data: ' {"a" : 1}' }).dataText).toBe('{"a" : 1}');
    // PHP shows such an object as a list, which may be posted back.
    expect(readTask({ data: ['x', { a: 1 }] }).dataText).toBe('{"0":"x","1":{"a":1}}');
    const form = 'user_id=1&name=n&class_name=c&active=1&repeat_hour=1&data[keep]=3';
    expect(read('addTask', parsePhpQuery(form)).dataText).toBe('{"keep":"3"}');
  });

  test('empty data in every spelling as null, and absent data not at all', () => {
    for (const data of [null, {}, [], '', '{}', '[]', 'null', ' { } ']) {
      expect(readTask({ data })).toHaveProperty('dataText', null);
    }
    expect(readTask({})).not.toHaveProperty('dataText');
  });

  test('a row of getTasks, posted back to updateTask as it is', () => {
    const row = {
      id: '1',
      user_id: '31',
      name: 'Process Holding Tank',
      class_name: '\\scheduler\\Tasks\\ProcessHoldingTask',
      active: true,
      data: null,
      last_run: '2015-05-07 12:29:45',
      repeat_items: [
        {
          id: '1',
          task_id: '1',
          repeat_start: '2015-05-06',
          repeat_end: null,
          repeat_interval: null,
          repeat_year: '*',
          repeat_month: '*',
          repeat_day: '*',
          repeat_week: '*',
          repeat_weekday: '4',
          repeat_hour: '20',
          repeat_minute: '0',
        },
      ],
    };
    expect(read('updateTask', fromJson(row))).toEqual({
      task: { legacyId: 1 },
      ownerLegacyId: 31,
      name: 'Process Holding Tank',
      className: '\\scheduler\\Tasks\\ProcessHoldingTask',
      active: true,
      dataText: null,
      repeatItems: [{ ...EVERY_HOUR, start: '2015-05-06', dayOfWeek: 4, hour: 20 }],
    });
  });
});

test('updateTask leaves data and repeat items alone where they are absent', () => {
  const input = read('updateTask', parsePhpQuery('id=4&user_id=31&name=n&class_name=c&active=1'));
  expect(input).toEqual({ task: { legacyId: 4 }, ownerLegacyId: 31, name: 'n', className: 'c', active: true });
});
