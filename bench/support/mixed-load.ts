// What users of all three kinds do to an installation, mixed: reads, changes, old calls, wrong credentials, live streams.
import { setTimeout as pause } from 'node:timers/promises';
import { signedQuery } from '../../src/legacy/signature.ts';
import { NOTHING_CLASS } from './nothing-class.ts';
import type { Product } from './programs.ts';

/** One thing that a client does, and how often of all. */
interface Deed {
  weight: number;
  act(product: Product, tasks: number): Promise<void>;
}

const anyOf = (tasks: number) => 1 + Math.floor(Math.random() * tasks);
const LIST = `query ($after: String) { tasks(first: 25, after: $after) {
  edges { node { id name nextRunAt lastRunAt repeatItems { hour minute } } } pageInfo { endCursor } } }`;
const HISTORY = `query ($task: Int!) { task(by: { legacyId: $task }) {
  runs(first: 10) { edges { node { id state message } } } events(last: 10) { edges { node { type at } } } } }`;
const ADD = `mutation ($input: AddTaskInput!) { addTask(input: $input) { task { id legacyId } } }`;
const DELETE = 'mutation ($task: Int!) { deleteTask(input: { task: { legacyId: $task } }) { task { id } } }';
const UPDATE = `mutation ($task: Int!, $name: String!) {
  updateTask(input: { task: { legacyId: $task }, name: $name }) { task { id } } }`;
const EXECUTE = `mutation ($task: Int!) { executeTask(input: { task: { legacyId: $task }, waitSeconds: 30 }) { run { state } } }`;

async function callOld({ address, key, secret }: Product, call: string): Promise<void> {
  const response = await fetch(
    `${address}/api/v1/api.php?${signedQuery(`target=scheduler&action=${call}`, key, secret)}`,
  );
  const text = await response.text();
  if (!text.startsWith('{"success":1')) throw new Error(`${call}: ${response.status} ${text.slice(0, 200)}`);
}

const DEEDS: Deed[] = [
  { weight: 30, act: async ({ graphql }) => void (await graphql(LIST)) },
  { weight: 20, act: async ({ graphql }, tasks) => void (await graphql(HISTORY, { task: anyOf(tasks) })) },
  { weight: 20, act: async ({ graphql }, tasks) => void (await graphql(EXECUTE, { task: anyOf(tasks) })) },
  {
    weight: 5,
    act: async ({ graphql }, tasks) =>
      void (await graphql(UPDATE, { task: anyOf(tasks), name: `Task ${Math.random()}` })),
  },
  { weight: 5, act: (product) => callOld(product, 'getTasks') },
  { weight: 5, act: (product, tasks) => callOld(product, `getTaskHistory&taskId=${anyOf(tasks)}`) },
  { weight: 5, act: (product, tasks) => callOld(product, `executeTask&taskId=${anyOf(tasks)}`) },
  {
    weight: 5,
    act: async ({ graphql }) => {
      const input = { name: 'Short-lived', className: NOTHING_CLASS, repeatItems: [{ hour: 3 }] };
      const { addTask } = await graphql<{ addTask: { task: { legacyId: number } } }>(ADD, { input });
      await graphql(DELETE, { task: addTask.task.legacyId });
    },
  },
  {
    weight: 1,
    act: async ({ address }) => {
      const response = await fetch(`${address}/graphql?query={viewer{id}}`, {
        headers: { authorization: 'Bearer no.body' },
      });
      await response.arrayBuffer();
      if (response.status !== 401 && response.status !== 429)
        throw new Error(`wrong credentials got ${response.status}`);
    },
  },
];
const WEIGHTS = DEEDS.reduce((sum, { weight }) => sum + weight, 0);

function anyDeed(): Deed {
  let left = Math.random() * WEIGHTS;
  for (const deed of DEEDS) {
    left -= deed.weight;
    if (left < 0) return deed;
  }
  return DEEDS[0] as Deed;
}

export interface Done {
  deeds: number;
  seconds: number;
  /** Milliseconds of each deed. */
  latencies: number[];
  /** What went wrong, in words. */
  faults: string[];
}

/** As many at once, each doing one thing after the other; no more than `perSecond` altogether, where that is given. */
export async function mixedLoad(
  product: Product,
  {
    tasks,
    atOnce,
    seconds,
    perSecond = Number.POSITIVE_INFINITY,
  }: { tasks: number; atOnce: number; seconds: number; perSecond?: number },
): Promise<Done> {
  const done: Done = { deeds: 0, seconds: 0, latencies: [], faults: [] };
  const begin = performance.now();
  const end = begin + seconds * 1_000;
  let begun = 0;
  const work = async () => {
    for (;;) {
      const due = begin + (begun * 1_000) / perSecond;
      begun += 1;
      if (Math.max(due, performance.now()) >= end) return;
      if (due > performance.now()) await pause(due - performance.now());
      const sent = performance.now();
      await anyDeed()
        .act(product, tasks)
        .catch((error: unknown) => void done.faults.push(String(error)));
      done.latencies.push(performance.now() - sent);
      done.deeds += 1;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  done.seconds = (performance.now() - begin) / 1_000;
  return done;
}
