// What is wrong with the rows of an old installation is told in its own names, all of it at once.
import { expect, test } from 'vitest';
import { readOldTasks } from '../../src/import/old-task.ts';
import { parseJsonForPhp } from '../../src/legacy/php/json-decode.ts';
import { PhpArray } from '../../src/legacy/php/value.ts';
import { OperatorError } from '../../src/lib/operator-error.ts';
import { item, taskRow } from '../support/import.ts';

function rowOf(value: object): PhpArray {
  const row = parseJsonForPhp(JSON.stringify(value));
  if (row instanceof PhpArray) return row;
  throw new Error('a row is an object');
}

test('every row at fault is named, with the place of the value in the old list', () => {
  const never = { ...item('9', '*', '3'), repeat_month: '2', repeat_day: '30' };
  const rows = [
    taskRow(3, { repeat_items: [item('8', '1', '3'), never] }),
    taskRow(4),
    taskRow(5, { name: 'n'.repeat(256) }),
    taskRow(6, { repeat_items: [item('10', '1', '24')] }),
  ];
  const faults = [
    'task "3": repeat_items.1.dayOfMonth: dayOfMonth is 30; no date has it together with month 2, start 2015-05-06',
    'task "5": name: must have 1 to 255 characters, got 256',
    'task "6": repeat_items[0][repeat_hour]: must be a whole number from 0 to 23, or "*" for every, got "24"',
  ];
  const read = () => readOldTasks(rows.map(rowOf), 'Europe/Berlin');
  expect(read).toThrow(new OperatorError(`The old tasks cannot be taken as they are: ${faults.join('; ')}.`));
});
