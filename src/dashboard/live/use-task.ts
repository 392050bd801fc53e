// A task with its runs and its history, loaded again whenever the task feed reports a change.
import type { Client } from '@urql/core';
import { useEffect, useState } from 'react';
import {
  DurationsDocument,
  type DurationsQuery,
  NextSlotsDocument,
  type NextSlotsQuery,
  OneTaskDocument,
  type OneTaskQuery,
  TaskFeedDocument,
} from '../operations.ts';
import { useSession } from '../session/context.ts';
import { pause } from './pause.ts';
import { refresher } from './reloading.ts';
import { whileCurrent } from './while-current.ts';

/** The minimum pause between loads, however many changes are reported. */
const LEAST_MS = 1_000;
/** How many upcoming slots are shown. */
const SLOTS = 8;

export type Task = NonNullable<OneTaskQuery['task']>;

export interface LoadedTask {
  /** Undefined until it is loaded, null if there is no such task. */
  task: Task | null | undefined;
  slots: NextSlotsQuery['previewSchedule'] | null;
  durations: NonNullable<DurationsQuery['task']>['runs']['edges'][number]['node'][];
  /** Increases with each load. */
  changes: number;
}

export function useTask(id: string): LoadedTask {
  const { client } = useSession();
  const [loaded, setLoaded] = useState<LoadedTask>({ task: undefined, slots: null, durations: [], changes: 0 });
  useEffect(() => {
    return whileCurrent((signal) => {
      const refresh = refresher(async () => {
        const [one, lately] = await Promise.all([
          client.query(OneTaskDocument, { id }).toPromise(),
          client.query(DurationsDocument, { id }).toPromise(),
        ]);
        const task = one.data?.task ?? null;
        const slots = task === null ? null : await loadSlots(client, task);
        if (signal.aborted) return true;
        if (one.data === undefined) return false;
        const durations = lately.data?.task?.runs.edges.map(({ node }) => node);
        setLoaded((known) => ({
          task,
          slots,
          durations: durations ?? known.durations,
          changes: known.changes + 1,
        }));
        await pause(LEAST_MS);
        return true;
      });
      // The feed starts with the current task, so it triggers a load as well; but a deleted task has no feed.
      void refresh();
      const { unsubscribe } = client.subscription(TaskFeedDocument, { ids: [id] }).subscribe(() => void refresh());
      signal.addEventListener('abort', () => unsubscribe());
    });
  }, [client, id]);
  return loaded;
}

async function loadSlots(client: Client, { active, repeatItems, timeZone }: Task): Promise<LoadedTask['slots']> {
  if (!active || repeatItems.length === 0) return null;
  const { data } = await client
    .query(NextSlotsDocument, { input: { repeatItems, timeZone }, count: SLOTS })
    .toPromise();
  return data?.previewSchedule ?? null;
}
