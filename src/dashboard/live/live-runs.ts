// The running, queued and ended runs, kept up to date by a snapshot and every event after it, once and in order.
import type { Client } from '@urql/core';
import { useEffect, useState } from 'react';
import { CursorExpired, createRunFeed, type RunEvent } from '../../client/index.ts';
import { MINUTE_MS } from '../parts/intervals.ts';
import { useSession } from '../session/context.ts';
import { socketUrl } from '../session/socket-url.ts';
import { batched } from './batched.ts';
import { serverNow } from './clock.ts';
import { pause } from './pause.ts';
import { RELOAD_MS } from './reloading.ts';
import { withEvents } from './run-changes.ts';
import { type LiveRuns, loadSnapshot, type Snapshot } from './run-snapshot.ts';
import { whileCurrent } from './while-current.ts';

/** If fewer runs than this are left and the server has more, they are loaded. */
const LEAST_OPEN = 50;
/** If events arrive later than this, the page says how far behind it is. */
const BEHIND_MS = 5_000;
/** If events arrive later than this, a new snapshot is loaded rather than the events in between. */
const FAR_BEHIND_MS = MINUTE_MS;
/** The minimum time between two snapshots. */
const LEAST_SNAPSHOT_MS = 2_000;

export interface Live {
  runs: LiveRuns | null;
  isConnected: boolean;
  /** By how many seconds the events are late; 0 if they are up to date. */
  behindSeconds: number;
}

/** The current runs, updated at most once per animation frame. */
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

/** Follows the runs until it is aborted. Rejects only with FeedRefused, for which a retry would not help. */
async function follow(following: Following): Promise<void> {
  const { client, signal, onRuns, onConnected } = following;
  while (!signal.aborted) {
    const snapshot = await loadSnapshot(client);
    if (snapshot === null) {
      onConnected(false);
      await pause(RELOAD_MS, signal);
      continue;
    }
    if (signal.aborted) return;
    onRuns(snapshot.runs);
    onConnected(true);
    await followFrom(snapshot, following);
  }
}

/** Follows the events after a snapshot, until a new snapshot is needed or it is aborted. */
async function followFrom({ runs: loaded, cursor }: Snapshot, following: Following): Promise<void> {
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
  let runs = loaded;
  const show = batched((events: readonly RunEvent[]) => {
    if (!isWanted) return;
    const late = serverNow() - Date.parse(events.at(-1)?.at ?? '');
    onBehind(late > BEHIND_MS ? Math.round(late / 1_000) : 0);
    runs = withEvents(runs, events);
    onRuns(runs);
    const isOld = performance.now() - begun > LEAST_SNAPSHOT_MS;
    if (isOld && (late > FAR_BEHIND_MS || lacksOpen(runs))) stop();
  });
  signal.addEventListener('abort', stop);
  try {
    for await (const event of feed) show(event);
  } catch (error) {
    // Retention has removed events that were not read yet: a new snapshot is loaded.
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
