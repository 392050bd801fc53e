// The command line in three calls; the rest of it is in usage.long.test.ts.
import { expect, test } from 'vitest';
import { COMMANDS, slotkeeper } from '../support/command-line.ts';

test('help names each command and ends with 0', async () => {
  const { code, out, errors } = await slotkeeper(['--help']);
  expect({ code, errors }).toEqual({ code: 0, errors: '' });
  for (const [name] of COMMANDS) expect(out).toMatch(new RegExp(`^ {2}${name} `, 'm'));
  expect(out).toContain('\nExamples:\n  slotkeeper ');
});

test('wrong use ends with 2, and one line that says where to look', async () => {
  const { code, out, errors } = await slotkeeper(['aply']);
  expect({ code, out }).toEqual({ code: 2, out: '' });
  expect(errors).toMatch(/^Unknown command 'aply' .*See slotkeeper --help\.\n$/);
});

test('a failure ends with 1 and a sentence', async () => {
  const { code, out, errors } = await slotkeeper(['export'], { settings: { PORT: 'x' } });
  expect({ code, out }).toEqual({ code: 1, out: '' });
  expect(errors).toMatch(/^Invalid settings: PORT .*\n$/);
});
