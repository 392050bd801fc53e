// A page of the task list, kept up to date by the task feed.
import type { Client } from '@urql/core';
import { useCallback, useEffect, useMemo, useState } from 'react';
import {
  TaskFeedDocument,
  type TaskFeedSubscription,
  type TaskLineFragment,
  TasksDocument,
  type TasksQuery,
  type TasksQueryVariables,
} from '../operations.ts';
import { useSession } from '../session/context.ts';
import { batched } from './batched.ts';
import { pause } from './pause.ts';
import { RELOAD_MS } from './reloading.ts';
import { whileCurrent } from './while-current.ts';

/** Tasks per page. */
const PAGE = 50;

export type TaskLine = TaskLineFragment;

export interface Wanted {
  filter: NonNullable<TasksQueryVariables['filter']>;
  orderBy: NonNullable<TasksQueryVariables['orderBy']>;
  /** The cursor that the page comes after or before; both are null for the first page. */
  after: string | null;
  before: string | null;
}

export interface TaskPage {
  tasks: readonly TaskLine[];
  pageInfo: TasksQuery['tasks']['pageInfo'];
}

interface Loaded {
  page: TaskPage | null;
  failure: string | null;
  /** Loads the page again. */
  reload: () => void;
}

type FeedEvent = TaskFeedSubscription['taskFeed'];

/** Loads a page of tasks. `wanted` must be the same object until it changes. */
export function useTasks(wanted: Wanted): Loaded {
  const { client } = useSession();
  const [page, setPage] = useState<TaskPage | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  const [asked, setAsked] = useState(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a change of `asked` loads again
  useEffect(() => {
    return whileCurrent(async (signal) => {
      while (!signal.aborted) {
        const { data, error } = await client.query(TasksDocument, variablesOf(wanted)).toPromise();
        if (signal.aborted) return;
        setFailure(error?.message ?? null);
        if (data !== undefined) {
          setPage({ tasks: data.tasks.edges.map(({ node }) => node), pageInfo: data.tasks.pageInfo });
          return;
        }
        if (!error?.networkError) return;
        await pause(RELOAD_MS, signal);
      }
    });
  }, [client, wanted, asked]);
  useFeed(client, page, setPage);
  return { page, failure, reload: useCallback(() => setAsked((count) => count + 1), []) };
}

function variablesOf({ filter, orderBy, after, before }: Wanted): TasksQueryVariables {
  const place = before === null ? { first: PAGE, after } : { last: PAGE, before };
  return { ...place, filter, orderBy };
}

function useFeed(
  client: Client,
  page: TaskPage | null,
  setPage: (change: (page: TaskPage | null) => TaskPage | null) => void,
) {
  const ids = page?.tasks.map(({ id }) => id).join(' ') ?? '';
  const listed = useMemo(() => (ids === '' ? [] : ids.split(' ')), [ids]);
  useEffect(() => {
    if (listed.length === 0) return;
    const show = batched((events: readonly FeedEvent[]) => setPage((known) => known && withChanges(known, events)));
    const { unsubscribe } = client.subscription(TaskFeedDocument, { ids: listed }).subscribe(({ data }) => {
      if (data !== undefined) show(data.taskFeed);
    });
    return unsubscribe;
  }, [client, listed, setPage]);
}

function withChanges({ tasks, pageInfo }: TaskPage, events: readonly FeedEvent[]): TaskPage {
  const changed = new Map<string, TaskLine>();
  const removed = new Set<string>();
  for (const event of events) {
    if ('tasks' in event) for (const task of event.tasks) changed.set(task.id, task);
    else if ('task' in event) changed.set(event.task.id, event.task);
    else if ('taskId' in event) removed.add(event.taskId);
  }
  const deleted = (task: TaskLine) => ({
    ...task,
    deletedAt: task.deletedAt ?? new Date().toISOString(),
    nextRunAt: null,
  });
  return {
    pageInfo,
    tasks: tasks.map((task) => {
      const newest = changed.get(task.id) ?? task;
      return removed.has(task.id) ? deleted(newest) : newest;
    }),
  };
}
