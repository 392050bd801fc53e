// A snapshot of the current runs, and its position in the event log.
import type { Client } from '@urql/core';
import { LogEndDocument, NowDocument, type NowQuery, type RunState } from '../operations.ts';

export interface LiveRun {
  id: string;
  taskId: string;
  taskName: string;
  state: RunState;
  attempt: number;
  /** When it entered this state. */
  since: string;
  message: string | null;
  progress: number | null;
  lastLine: string | null;
}

export interface LiveRuns {
  open: ReadonlyMap<string, LiveRun>;
  ended: readonly LiveRun[];
  /** The runs that failed or were skipped; they may be older than those in `ended`. */
  wrong: readonly LiveRun[];
  /** Whether the server has more than are listed here. */
  hasMore: { running: boolean; queued: boolean };
}

export interface Snapshot {
  runs: LiveRuns;
  /** Every event that `runs` does not include yet comes after this cursor; undefined if the log is empty. */
  cursor: string | undefined;
}

/** Loads a snapshot; null if the server did not answer. */
export async function loadSnapshot(client: Client): Promise<Snapshot | null> {
  // In this order: the feed then delivers again the events that are written while the snapshot is read.
  const end = await client.query(LogEndDocument, {}).toPromise();
  const { data } = await client.query(NowDocument, {}).toPromise();
  if (data === undefined || end.data === undefined) return null;
  return { runs: liveRuns(data), cursor: end.data.events.pageInfo.endCursor ?? undefined };
}

type Node = NowQuery['running']['edges'][number]['node'] | NowQuery['ended']['edges'][number]['node'];

function liveRun(node: Node): LiveRun {
  const { id, state, task, attempt, message, progress } = node;
  const since = node.finishedAt ?? (state === 'RUNNING' ? node.startedAt : null) ?? node.queuedAt;
  const lastLine = 'events' in node ? (node.events.edges[0]?.node.message ?? null) : null;
  return {
    id,
    taskId: task.id,
    taskName: task.name,
    state,
    attempt,
    since,
    message: message ?? null,
    progress: progress ?? null,
    lastLine,
  };
}

function liveRuns({ running, queued, ended, wrong }: NowQuery): LiveRuns {
  const open = [...running.edges, ...queued.edges].map(({ node }) => liveRun(node));
  return {
    open: new Map(open.map((run) => [run.id, run])),
    ended: ended.edges.map(({ node }) => liveRun(node)),
    wrong: wrong.edges.map(({ node }) => liveRun(node)),
    hasMore: { running: running.pageInfo.hasNextPage, queued: queued.pageInfo.hasNextPage },
  };
}
