import { afterAll, beforeAll, expect, test } from 'vitest';
import { moveSequence } from '../../src/database/sequence.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { rows } from '../support/races.ts';

let database: TestDatabase;

beforeAll(async () => {
  database = await testDatabase();
});

afterAll(async () => {
  await database?.close();
});

const nextId = async () => {
  const [row] = await rows<{ id: string }>(database.orm.em, `select nextval('task_id_seq') as id`);
  return Number(row?.id);
};

test('ids that are reserved concurrently stay free, and none is given out twice', async () => {
  const drawn: number[] = [];
  for (let round = 0; round < 30; round += 1) {
    const from = await nextId();
    const ids = [3, 1_500, 8, 1_200, 5, 1].map((step) => from + step);
    const draw = async () => {
      for (let count = 0; count < 5; count += 1) drawn.push(await nextId());
    };
    await Promise.all([...ids.map((id) => moveSequence(database.orm.em.fork(), 'task', id)), draw(), draw()]);
    const next = await nextId();
    expect(next).toBeGreaterThan(Math.max(...ids));
    drawn.push(from, next);
  }
  expect(new Set(drawn).size).toBe(drawn.length);
});

test('a sequence is not moved back, and not past its target', async () => {
  const last = await nextId();
  await moveSequence(database.orm.em.fork(), 'task', last - 1);
  await moveSequence(database.orm.em.fork(), 'task', 0);
  expect(await nextId()).toBe(last + 1);
  await moveSequence(database.orm.em.fork(), 'task', last + 10);
  expect(await nextId()).toBe(last + 11);
});
