// What a value may look like on its way in and out: ids, instants, rules.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { toGlobalId } from '../../src/lib/global-id.ts';
import { testDatabase } from '../support/database.ts';
import { query, refusal } from '../support/query.ts';

let database: Awaited<ReturnType<typeof testDatabase>>;

beforeAll(async () => {
  database = await testDatabase();
  const connection = database.orm.em.fork().getConnection();
  await connection.execute(`insert into app_user (id, name, role) values (1001, 'owner', 'OPERATOR')`);
  await connection.execute(`
    insert into task (id, name, class_name, active, data, owner_id, time_zone, created_at, updated_at, last_run_at)
    values (7, 't', 'C', false, '{"b": 1,  "a": 1.0}', 1001, 'UTC', '2026-01-01 00:00:00.999999+00', now(), null)`);
});

afterAll(() => database.close());

const ask = <Data>(source: string) => query<Data>(database.orm, source);
const refused = (source: string, variables = {}) => refusal(database.orm, source, { variables });

describe('ids', () => {
  test('node finds each type by its id, and nothing for an id that is not there', async () => {
    const [task, user, none] = [
      toGlobalId('Task', 7),
      toGlobalId('User', 1001),
      toGlobalId('Run', 999_999_999_999_999),
    ];
    expect(await ask(`{ nodes(ids: ["${user}", "${none}", "${task}", "${task}"]) { __typename id } }`)).toEqual({
      nodes: [{ __typename: 'User', id: user }, null, ...new Array(2).fill({ __typename: 'Task', id: task })],
    });
    expect(await ask(`{ node(id: "${none}") { id } run(id: "${none}") { id } }`)).toEqual({ node: null, run: null });
  });

  test.each([
    ['node(id: "nonsense") { id }', 'id'],
    [`node(id: "${Buffer.from('Task:1 or 1').toString('base64')}") { id }`, 'id'],
    [`run(id: "${toGlobalId('Task', 7)}") { id }`, 'id'],
    [`task(by: {id: "${toGlobalId('User', 7)}"}) { id }`, 'by.id'],
    [`tasks(filter: {ids: ["${toGlobalId('Task', 7)}", "x"]}) { edges { cursor } }`, 'filter.ids.1'],
    ['tasks(filter: {name: "\\u0000"}) { edges { cursor } }', 'filter.name'],
  ])('%s is refused', async (field, path) => {
    expect(await refused(`{ ${field} }`)).toMatchObject({ code: 'BAD_USER_INPUT', field: path });
  });
});

describe('values', () => {
  test('instants come out in UTC with milliseconds, data as it was sent', async () => {
    const task = await ask(`{ task(by: {legacyId: 7}) { createdAt lastRunAt data dataText owner { name } } }`);
    expect(task).toEqual({
      task: {
        createdAt: '2026-01-01T00:00:00.999Z',
        lastRunAt: null,
        data: { b: 1, a: 1 },
        dataText: '{"b": 1,  "a": 1.0}',
        owner: { name: 'owner' },
      },
    });
  });

  test.each([
    '2026-01-01',
    '2026-01-01T00:00:00',
    '2026-02-30T00:00:00Z',
    '2026-01-01T24:00:00Z',
    '9999-12-31T23:59:00-23:59',
    '1000-01-01T00:00:00+00:01',
    'now',
    1,
    '',
  ])('%j is no instant', async (from) => {
    const { code, message } = await refused(
      'query ($from: DateTime) { runs(filter: {slotFrom: $from}) { edges { cursor } } }',
      { from },
    );
    expect(code).toBe('BAD_USER_INPUT');
    expect(message).toContain('a DateTime must be ');
    expect(message).toContain(`, got ${JSON.stringify(from)}`);
  });
});

describe('previewSchedule', () => {
  const preview = (input: string, args = '') =>
    ask(`{ previewSchedule(input: {repeatItems: [${input}], timeZone: "Europe/Berlin"}, from: "2027-03-27T01:30:00Z" ${args}) {
      slots { at localTime dstNote } neverFires } }`);

  test('says the slots with their wall time and what a change of the clock does', async () => {
    expect(await preview('{hour: 2, minute: 30}', 'count: 3')).toEqual({
      previewSchedule: {
        slots: [
          { at: '2027-03-27T01:30:00.000Z', localTime: '2027-03-27T02:30:00+01:00', dstNote: null },
          { at: '2027-03-28T01:00:00.000Z', localTime: '2027-03-28T03:00:00+02:00', dstNote: 'SKIPPED_WALL_TIME' },
          { at: '2027-03-29T00:30:00.000Z', localTime: '2027-03-29T02:30:00+02:00', dstNote: null },
        ],
        neverFires: null,
      },
    });
  });

  test('a minute left out is 0, a minute of null is every minute', async () => {
    const minutes = async (item: string) => {
      const { previewSchedule } = (await preview(item, 'count: 2')) as { previewSchedule: { slots: { at: string }[] } };
      return previewSchedule.slots.map(({ at }) => at.slice(11, 16));
    };
    expect(await minutes('{}')).toEqual(['02:00', '03:00']);
    expect(await minutes('{minute: null}')).toEqual(['01:30', '01:31']);
  });

  test('says why there is no slot', async () => {
    expect(await preview('{end: "2027-03-01"}')).toEqual({
      previewSchedule: { slots: [], neverFires: 'Every repeat item has ended before 2027-03-27T01:30:00.000Z.' },
    });
    expect(await preview('{month: 2, dayOfMonth: 30}')).toEqual({
      previewSchedule: {
        slots: [],
        neverFires: 'input.repeatItems.0.dayOfMonth: dayOfMonth is 30; no date has it together with month 2.',
      },
    });
    // The clock of Berlin goes from 02:00 to 03:00 on that day.
    expect(await preview('{start: "2027-03-28", end: "2027-03-28", hour: 2, minute: null}')).toEqual({
      previewSchedule: { slots: [], neverFires: expect.stringContaining('input.repeatItems.0.hour: hour is 2; ') },
    });
  });

  test.each([
    ['repeatItems: [{}, {hour: 24}]', '', 'input.repeatItems.1.hour'],
    ['repeatItems: [{}, {month: 2, dayOfMonth: 30}]', '', 'input.repeatItems.1.dayOfMonth'],
    [`repeatItems: [${'{} '.repeat(101)}]`, '', 'input.repeatItems'],
    ['repeatItems: [{}], timeZone: "Mars/Olympus"', '', 'input.timeZone'],
    ['repeatItems: [{}]', ', count: 1001', 'count'],
  ])('%.40s%s is refused', async (input, args, field) => {
    const refusedPreview = await refused(`{ previewSchedule(input: {${input}} ${args}) { neverFires } }`);
    expect(refusedPreview).toMatchObject({ code: 'BAD_USER_INPUT', field });
  });
});

test('task classes say what data they take', async () => {
  const { taskClasses } = await ask<{ taskClasses: { name: string; dataSchema: { properties: object } }[] }>(
    '{ taskClasses { name description dataSchema } }',
  );
  const holding = taskClasses.find(({ name }) => name === '\\scheduler\\Tasks\\ProcessHoldingTask');
  expect(holding?.dataSchema.properties).toHaveProperty('holding_days');
});
