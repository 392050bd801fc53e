// What runs, waits and has ended, kept fresh by the event log: a snapshot, then every event after it, once and in order.
import type { Client } from '@urql/core';
import { useEffect, useReducer, useState } from 'react';
import { CursorExpired, createRunFeed, FeedRefused, type RunEvent } from '../../examples/run-feed.ts';
import { useSession } from './context.ts';
import { LogEndDocument, NowDocument, type NowQuery, type RunState } from './operations.ts';

/** Runs that are shown as ended, the newest first. */
const ENDED = 25;
/** How soon a load that failed is tried again. */
export const RELOAD_MS = 2_000;
/** An event that is so old when it comes is told of as being behind. */
const BEHIND_MS = 5_000;

export interface LiveRun {
  id: string;
  taskId: string;
  taskName: string;
  state: RunState;
  attempt: number;
  /** When it came into this state. */
  since: string;
  message: string | null;
  progress: number | null;
  lastLine: string | null;
}

export interface LiveRuns {
  open: ReadonlyMap<string, LiveRun>;
  ended: readonly LiveRun[];
  /** Whether there were more when it was loaded than it holds. */
  hasMore: { running: boolean; queued: boolean };
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

function snapshotOf({ running, queued, ended }: NowQuery): LiveRuns {
  const open = [...running.edges, ...queued.edges].map(({ node }) => liveRun(node));
  return {
    open: new Map(open.map((run) => [run.id, run])),
    ended: ended.edges.map(({ node }) => liveRun(node)),
    hasMore: { running: running.pageInfo.hasNextPage, queued: queued.pageInfo.hasNextPage },
  };
}

function applied({ open, ended, hasMore }: LiveRuns, events: readonly RunEvent[]): LiveRuns {
  const next = new Map(open);
  let over = [...ended];
  for (const event of events) {
    if (event.run === null || event.state === null) continue;
    const { id } = event.run;
    const known = next.get(id);
    const run: LiveRun = {
      id,
      taskId: event.task.id,
      taskName: event.task.name,
      state: event.state,
      attempt: event.attempt ?? 0,
      since: known?.state === event.state ? known.since : event.at,
      message: event.type === 'LOG' ? (known?.message ?? null) : (event.message ?? known?.message ?? null),
      progress: progressOf(event) ?? known?.progress ?? null,
      lastLine: event.type === 'LOG' ? event.message : (known?.lastLine ?? null),
    };
    over = over.filter((each) => each.id !== id);
    if (event.state === 'QUEUED' || event.state === 'RUNNING') next.set(id, run);
    else {
      next.delete(id);
      over = [run, ...over].slice(0, ENDED);
    }
  }
  return { open: next, ended: over, hasMore };
}

export function progressOf({ type, data }: { type: string; data?: unknown }): number | null {
  if (type !== 'PROGRESS' || typeof data !== 'object' || data === null || !('progress' in data)) return null;
  return Number(data.progress);
}

export interface Live {
  runs: LiveRuns | null;
  isConnected: boolean;
  /** Seconds by which what comes in is older than now; 0 where it is fresh. */
  behindSeconds: number;
}

type Step = { snapshot: LiveRuns } | { events: readonly RunEvent[] };

const step = (runs: LiveRuns | null, next: Step) =>
  'snapshot' in next ? next.snapshot : runs && applied(runs, next.events);

/** The runs of now; events that come together are shown together, once a frame. */
export function useLiveRuns(): Live {
  const { client, authorization, signOut } = useSession();
  const [runs, dispatch] = useReducer(step, null);
  const [isConnected, setConnected] = useState(true);
  const [behindSeconds, setBehind] = useState(0);
  useEffect(() => {
    const ended = new AbortController();
    const show = batched((events: readonly RunEvent[]) => {
      const newest = Date.parse(events.at(-1)?.at ?? '');
      const late = Date.now() - newest;
      setBehind(late > BEHIND_MS ? Math.round(late / 1_000) : 0);
      dispatch({ events });
    });
    const onSnapshot = (snapshot: LiveRuns) => dispatch({ snapshot });
    follow({ client, authorization, signal: ended.signal, onSnapshot, onEvent: show, onConnected: setConnected }).catch(
      (error: unknown) => signOut(error instanceof Error ? error.message : String(error)),
    );
    return () => ended.abort();
  }, [client, authorization, signOut]);
  return { runs, isConnected, behindSeconds };
}

interface Following {
  client: Client;
  authorization: string;
  signal: AbortSignal;
  onSnapshot: (runs: LiveRuns) => void;
  onEvent: (event: RunEvent) => void;
  onConnected: (isConnected: boolean) => void;
}

/** Until it is aborted. Rejects with FeedRefused alone: another try would not help. */
async function follow({ client, authorization, signal, onSnapshot, onEvent, onConnected }: Following): Promise<void> {
  while (!signal.aborted) {
    // In this order: what is written while the snapshot is read is told again by the feed.
    const end = await client.query(LogEndDocument, {}).toPromise();
    const { data } = await client.query(NowDocument, {}).toPromise();
    if (data === undefined || end.data === undefined) {
      onConnected(false);
      await pause(RELOAD_MS);
      continue;
    }
    if (signal.aborted) return;
    onSnapshot(snapshotOf(data));
    const after = end.data.events.pageInfo.endCursor ?? undefined;
    const feed = createRunFeed({ url: socketUrl(), authorization, after, onConnected });
    signal.addEventListener('abort', () => feed.close());
    try {
      for await (const event of feed) onEvent(event);
    } catch (error) {
      if (error instanceof FeedRefused) throw error;
      // The log has gone on without us: what is there now is loaded.
      if (!(error instanceof CursorExpired)) onConnected(false);
    } finally {
      feed.close();
    }
  }
}

export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

export function socketUrl(): string {
  return new URL('/graphql', location.href.replace(/^http/, 'ws')).href;
}

/** Collects what comes within a frame. */
export function batched<Item>(take: (items: readonly Item[]) => void): (item: Item) => void {
  let waiting: Item[] = [];
  return (item) => {
    waiting.push(item);
    if (waiting.length > 1) return;
    // In a tab that nobody sees there are no frames.
    const later = document.hidden ? (work: () => void) => setTimeout(work, 250) : requestAnimationFrame;
    later(() => {
      const items = waiting;
      waiting = [];
      take(items);
    });
  };
}
