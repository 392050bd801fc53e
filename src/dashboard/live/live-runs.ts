// What runs, waits and has ended, kept fresh by the event log: a snapshot, then every event after it, once and in order.
import type { Client } from '@urql/core';
import { useEffect, useState } from 'react';
import { CursorExpired, createRunFeed, type RunEvent } from '../../client/index.ts';
import { LogEndDocument, NowDocument, type NowQuery, type RunState } from '../operations.ts';
import { useSession } from '../session/context.ts';
import { serverNow } from './clock.ts';
import { pause, whileCurrent } from './while-current.ts';

/** Runs that are shown as ended, and as failed or skipped, the newest first. */
const ENDED = 25;
const WRONG = 10;
/** Runs that are known of those that wait; more of them are only counted. */
const MOST_QUEUED = 500;
/** Where fewer than these are left of those known, and there are others, they are loaded. */
const LEAST_OPEN = 50;
/** How soon a load that failed is tried again. */
export const RELOAD_MS = 2_000;
/** An event that is so old when it comes is told of as being behind. */
const BEHIND_MS = 5_000;
/** Further behind than this, what is there now is loaded rather than all that led to it. */
const FAR_BEHIND_MS = 60_000;
/** A snapshot serves at least so long. */
const LEAST_SNAPSHOT_MS = 2_000;

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
  /** Those of the ended that failed or were skipped; they may be older. */
  wrong: readonly LiveRun[];
  /** Whether there were more when it was loaded than it holds. */
  hasMore: { running: boolean; queued: boolean };
}

const isWrong = ({ state }: LiveRun) => state === 'FAILED' || state === 'SKIPPED';

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

function snapshotOf({ running, queued, ended, wrong }: NowQuery): LiveRuns {
  const open = [...running.edges, ...queued.edges].map(({ node }) => liveRun(node));
  return {
    open: new Map(open.map((run) => [run.id, run])),
    ended: ended.edges.map(({ node }) => liveRun(node)),
    wrong: wrong.edges.map(({ node }) => liveRun(node)),
    hasMore: { running: running.pageInfo.hasNextPage, queued: queued.pageInfo.hasNextPage },
  };
}

function applied(runs: LiveRuns, events: readonly RunEvent[]): LiveRuns {
  const open = new Map(runs.open);
  let { ended, wrong } = runs;
  let { queued: hasMoreQueued } = runs.hasMore;
  for (const event of events) {
    if (event.run === null || event.state === null) continue;
    const run = after(event, event.run.id, open.get(event.run.id), event.state);
    const isOther = ({ id }: LiveRun) => id !== run.id;
    if (!ended.every(isOther)) [ended, wrong] = [ended.filter(isOther), wrong.filter(isOther)];
    if (run.state === 'QUEUED' && open.size >= MOST_QUEUED && !open.has(run.id)) {
      hasMoreQueued = true;
    } else if (run.state === 'QUEUED' || run.state === 'RUNNING') {
      open.set(run.id, run);
    } else {
      open.delete(run.id);
      ended = [run, ...ended].slice(0, ENDED);
      if (isWrong(run)) wrong = [run, ...wrong].slice(0, WRONG);
    }
  }
  return { open, ended, wrong, hasMore: { ...runs.hasMore, queued: hasMoreQueued } };
}

/** A run after an event of it. */
function after(event: RunEvent, id: string, known: LiveRun | undefined, state: RunState): LiveRun {
  const isLine = event.type === 'LOG';
  return {
    id,
    taskId: event.task.id,
    taskName: event.task.name,
    state,
    attempt: event.attempt ?? 0,
    since: known?.state === state ? known.since : event.at,
    message: isLine ? (known?.message ?? null) : (event.message ?? known?.message ?? null),
    progress: progressOf(event) ?? known?.progress ?? null,
    lastLine: isLine ? event.message : (known?.lastLine ?? null),
  };
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

/** The runs of now; events that come together are shown together, once a frame. */
export function useLiveRuns(): Live {
  const { client, authorization, signOut } = useSession();
  const [runs, onRuns] = useState<LiveRuns | null>(null);
  const [isConnected, onConnected] = useState(true);
  const [behindSeconds, onBehind] = useState(0);
  useEffect(() => {
    return whileCurrent((signal) =>
      follow({ client, authorization, signal, onRuns, onConnected, onBehind }).catch((error: unknown) =>
        signOut(error instanceof Error ? error.message : String(error)),
      ),
    );
  }, [client, authorization, signOut]);
  return { runs, isConnected, behindSeconds };
}

interface Following {
  client: Client;
  authorization: string;
  signal: AbortSignal;
  onRuns: (runs: LiveRuns) => void;
  onConnected: (isConnected: boolean) => void;
  onBehind: (seconds: number) => void;
}

/** Until it is aborted. Rejects with FeedRefused alone: another try would not help. */
async function follow(following: Following): Promise<void> {
  const { client, signal, onRuns, onConnected } = following;
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
    const snapshot = snapshotOf(data);
    onRuns(snapshot);
    onConnected(true);
    await followFrom(snapshot, end.data.events.pageInfo.endCursor ?? undefined, following);
  }
}

/** Until a snapshot would serve better than what comes in. */
async function followFrom(snapshot: LiveRuns, cursor: string | undefined, following: Following): Promise<void> {
  const { authorization, signal, onRuns, onConnected, onBehind } = following;
  const feed = createRunFeed({
    url: socketUrl(),
    authorization,
    after: cursor,
    onConnected: (isConnected) => isWanted && onConnected(isConnected),
  });
  let isWanted = true;
  const stop = () => {
    isWanted = false;
    feed.close();
  };
  const begun = performance.now();
  let runs = snapshot;
  const show = batched((events: readonly RunEvent[]) => {
    if (!isWanted) return;
    const late = serverNow() - Date.parse(events.at(-1)?.at ?? '');
    onBehind(late > BEHIND_MS ? Math.round(late / 1_000) : 0);
    runs = applied(runs, events);
    onRuns(runs);
    const isOld = performance.now() - begun > LEAST_SNAPSHOT_MS;
    if (isOld && (late > FAR_BEHIND_MS || lacksOpen(runs))) stop();
  });
  signal.addEventListener('abort', stop);
  try {
    for await (const event of feed) show(event);
  } catch (error) {
    // Where the log has gone on without us, what is there now is loaded.
    if (!(error instanceof CursorExpired)) throw error;
  } finally {
    signal.removeEventListener('abort', stop);
    stop();
  }
}

function lacksOpen({ open, hasMore }: LiveRuns): boolean {
  if (!hasMore.queued && !hasMore.running) return false;
  const running = [...open.values()].filter(({ state }) => state === 'RUNNING').length;
  return (hasMore.running && running < LEAST_OPEN) || (hasMore.queued && open.size - running < LEAST_OPEN);
}

/** One load at a time, again where it is asked for meanwhile, and until one has worked: the newest answer is the last. */
export function refresher(load: () => Promise<boolean>): () => Promise<void> {
  let isWanted = false;
  let loading: Promise<void> | undefined;
  const loadWhileWanted = async () => {
    while (isWanted) {
      isWanted = false;
      if (await load()) continue;
      isWanted = true;
      await pause(RELOAD_MS);
    }
    loading = undefined;
  };
  return () => {
    isWanted = true;
    loading ??= loadWhileWanted();
    return loading;
  };
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
