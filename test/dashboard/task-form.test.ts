// What the task form sends, and how two changes of one task are compared and merged.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Json } from '../../src/dashboard/editor/data-fields.ts';
import { EditableClasses } from '../../src/dashboard/editor/editable-classes.ts';
import { differencesOf, mergedValues } from '../../src/dashboard/editor/task-differences.ts';
import { placeFaults } from '../../src/dashboard/editor/task-faults.ts';
import { formOf, type TaskForm, valuesOf, withClass } from '../../src/dashboard/editor/task-form.ts';
import { addInput, updateInput } from '../../src/dashboard/editor/task-input.ts';
import type { EditedTask, TaskClass } from '../../src/dashboard/editor/task-policy.ts';
import { valuesOfNew, valuesOfTask } from '../../src/dashboard/editor/task-values.ts';
import { switchData } from '../../src/dashboard/editor/typed-data.ts';

const CLASS: TaskClass = {
  name: '\\a\\Class',
  title: 'Class',
  description: '',
  dataSchema: {
    type: 'object',
    properties: { a: { type: 'integer', maximum: 5 }, b: { type: 'string' } },
    required: ['b'],
  },
  liveRunners: 1,
  defaults: {
    timeoutSeconds: 60,
    overlap: null,
    retry: { attempts: 3, delaySeconds: null, backoff: null, jitter: null },
  },
};
const OTHER: TaskClass = { ...CLASS, name: '\\a\\Other', dataSchema: { type: 'object', properties: { c: {} } } };
const CLASSES = new EditableClasses([CLASS, OTHER]);

const TASK: EditedTask = {
  id: 'id',
  name: 'A task',
  className: CLASS.name,
  active: true,
  data: { a: 1, b: 'x' },
  dataText: '{"a": 1, "b": "x"}',
  timeZone: 'Europe/Berlin',
  version: 1,
  updatedAt: '2026-01-01T00:00:00.000Z',
  deletedAt: null,
  owner: { id: 'u', legacyId: 1, name: 'admin' },
  repeatItems: [],
  overlap: 'SKIP',
  queueLimit: 100,
  catchUp: 'LATEST',
  catchUpMaxAgeSeconds: null,
  misfireGraceSeconds: 60,
  retry: { attempts: 1, delaySeconds: 30, backoff: 2, jitter: 0 },
  timeoutSeconds: 900,
};

const edited = (task: EditedTask, change: (form: TaskForm) => TaskForm = (form) => form) => {
  const base = valuesOfTask(task);
  const { values, faults } = valuesOf(change(formOf(base, CLASSES)), CLASSES, false);
  return { sent: updateInput(values, base), faults, values };
};

const data = fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.jsonValue({ maxDepth: 2 }) as fc.Arbitrary<Json>);
const tasks = fc
  .record({
    name: fc.string({ minLength: 1 }),
    className: fc.constantFrom(CLASS.name, OTHER.name, '\\not\\Known'),
    active: fc.boolean(),
    data: fc.option(data),
    overlap: fc.constantFrom('SKIP' as const, 'QUEUE' as const),
    catchUpMaxAgeSeconds: fc.option(fc.integer({ min: 0, max: 2 ** 31 - 1 })),
    retry: fc.record({
      attempts: fc.integer({ min: 1, max: 100 }),
      delaySeconds: fc.integer({ min: 0, max: 86_400 }),
      backoff: fc.double({ min: 1, max: 10, noNaN: true }),
      jitter: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
  })
  .map((some) => ({ ...TASK, ...some, dataText: some.data === null ? null : JSON.stringify(some.data) }));

describe('the task form', () => {
  test('sends nothing if nothing was changed, whatever the task', () => {
    const unchanged = fc.property(tasks, (task) => {
      const { sent, faults } = edited(task);
      expect(sent).toEqual({});
      expect([...faults.byField]).toEqual([]);
    });
    fc.assert(unchanged, { numRuns: 1_000 });
  });

  test('sends the changed fields of the policy, and the default of the class for an emptied field', () => {
    const change = (form: TaskForm): TaskForm => ({
      ...form,
      policy: { ...form.policy, timeoutSeconds: '', 'retry.jitter': '0.5', catchUpMaxAgeSeconds: '60' },
    });
    expect(edited(TASK, change).sent).toEqual({
      policy: { timeoutSeconds: 60, catchUpMaxAgeSeconds: 60, retry: { jitter: 0.5 } },
    });
    const bounded = { ...TASK, catchUpMaxAgeSeconds: 60 };
    const unbound = (form: TaskForm) => ({ ...form, policy: { ...form.policy, catchUpMaxAgeSeconds: '' } });
    expect(edited(bounded, unbound).sent).toEqual({ policy: { catchUpMaxAgeSeconds: null } });
  });

  test('sends what was typed of a new task, and leaves the rest to the class and the server', () => {
    const form = { ...formOf(valuesOfNew(CLASSES), CLASSES), name: 'New' };
    const { values } = valuesOf(form, CLASSES, true);
    expect(addInput(values)).toEqual({ name: 'New', className: CLASS.name, active: true, repeatItems: [] });
  });

  test('keeps numbers that JavaScript cannot hold, as text', () => {
    const task = { ...TASK, data: { b: 12345678901234567000 }, dataText: '{"b": 12345678901234567890}' };
    expect(edited(task).sent).toEqual({});
    const own = (form: TaskForm, text: string): TaskForm => ({
      ...form,
      data: Object.fromEntries(Object.entries(form.data).map(([name, typed]) => [name, { ...typed, text }])),
    });
    const dataText = '{"b": 12345678901234567891}';
    expect(edited(task, (form) => own(form, dataText)).sent).toEqual({ dataText });
    const [typed] = Object.values(formOf(valuesOfTask(task), CLASSES).data);
    expect(typed && switchData(typed, CLASSES.dataField(CLASS.name))).toBeNull();
  });

  test('keeps what was typed for another class, and the data of the task for a class whose schema does not name them', () => {
    const base = valuesOfTask(TASK);
    const there = withClass(formOf(base, CLASSES), OTHER.name, base, CLASSES);
    expect(updateInput(valuesOf(there, CLASSES, false).values, base)).toEqual({ className: OTHER.name });
    expect(withClass(there, CLASS.name, base, CLASSES)).toEqual({ ...formOf(base, CLASSES), data: there.data });
  });

  test('says who changed what, and merges what is picked', () => {
    const base = valuesOfTask(TASK);
    const mine = { ...base, name: 'Mine', data: { a: 1, b: 'mine' }, active: false };
    const theirs = valuesOfTask({ ...TASK, name: 'Theirs', data: { b: 'x', c: 3 }, timeoutSeconds: 5, active: false });
    const differences = differencesOf(mine, base, theirs);
    expect(differences.map(({ key, changedBy, mine: own, theirs: saved }) => [key, changedBy, own, saved])).toEqual([
      ['name', 'both', 'Mine', 'Theirs'],
      ['data.a', 'them', '1', 'not set'],
      ['data.b', 'me', 'mine', 'x'],
      ['policy.timeoutSeconds', 'them', '900', '5'],
      ['data.c', 'them', 'not set', '3'],
    ]);
    const theirParts = new Set(differences.filter(({ changedBy }) => changedBy === 'them').map(({ key }) => key));
    const merged = mergedValues(mine, theirs, theirParts);
    expect(merged).toMatchObject({ name: 'Mine', active: false, data: { b: 'mine', c: 3 } });
    expect(updateInput(merged, theirs)).toEqual({ name: 'Mine', data: { b: 'mine', c: 3 } });
    expect(mergedValues(mine, theirs, new Set(differences.map(({ key }) => key)))).toEqual({
      ...theirs,
      dataText: theirs.dataText,
    });
  });

  test('places every fault of the server', () => {
    const { rules } = formOf({ ...valuesOfTask(TASK), rules: [] }, CLASSES);
    const placed = placeFaults(
      {
        byField: new Map([
          ['input.name', 'must have 1 to 250 characters, got 0'],
          ['input.policy.retry.attempts', 'must be 1 to 100, got 0'],
          ['input.data.headers', '✖ must be a text\n  → at headers["x.y"][2].secret\n✖ has\ntwo lines'],
          ['input.data.a.b', 'is required'],
          ['input.data', '✖ is too large'],
          ['input.idempotencyKey', 'is in use'],
        ]),
        other: 'not allowed.',
      },
      rules,
    );
    expect(placed).toEqual({
      byField: new Map([
        ['input.name', 'must have 1 to 250 characters, got 0'],
        ['input.policy.retry.attempts', 'must be 1 to 100, got 0'],
      ]),
      data: [
        { path: ['headers', 'x.y', 2, 'secret'], message: 'must be a text' },
        { path: [], message: 'has\ntwo lines' },
        { path: ['a', 'b'], message: 'is required' },
        { path: [], message: 'is too large' },
      ],
      other: 'not allowed. input.idempotencyKey: is in use',
    });
  });
});
