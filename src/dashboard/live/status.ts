// The backlog of the runners, their delay and the upcoming slots, queried again when runs have changed.
import type { Client } from '@urql/core';
import { useEffect, useRef, useState } from 'react';
import { StatusDocument, type StatusQuery, UpcomingDocument, type UpcomingQuery } from '../operations.ts';
import { DAY_MS, MINUTE_MS } from '../parts/intervals.ts';
import { useSession } from '../session/context.ts';
import { serverNow } from './clock.ts';
import { pause } from './pause.ts';
import { whileCurrent } from './while-current.ts';

/** How often it is checked whether a query is due. */
const LOOK_MS = 250;
/** The interval of queries without events: runners come and go, and time passes. */
const IDLE_MS = 10_000;
/** The minimum pause between queries, however many events arrive. */
const LEAST_MS = 2_000;
/** The maximum share of time that the server spends on the queries of one page. */
const SHARE = 0.05;
const AHEAD_MS = 31 * DAY_MS;

export interface Status extends StatusQuery {
  upcoming: UpcomingQuery['upcoming'] | null;
}

/** The status. `changed` must be another value whenever runs have changed. */
export function useStatus(changed: unknown): Status | null {
  const { client } = useSession();
  const [status, setStatus] = useState<Status | null>(null);
  const hasChanged = useRef(false);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the effect must run on each change
  useEffect(() => {
    hasChanged.current = true;
  }, [changed]);
  useEffect(() => {
    return whileCurrent(async (signal) => {
      let nextAt = 0;
      let idleAt = 0;
      while (!signal.aborted) {
        const now = performance.now();
        if (!document.hidden && now >= nextAt && (hasChanged.current || now >= idleAt)) {
          hasChanged.current = false;
          const loaded = await loadStatus(client);
          if (loaded !== null && !signal.aborted) setStatus(loaded);
          const end = performance.now();
          nextAt = end + Math.max(LEAST_MS, (end - now) / SHARE);
          idleAt = Math.max(nextAt, end + IDLE_MS);
        }
        await pause(LOOK_MS, signal);
      }
    });
  }, [client]);
  return status;
}

/** Null if the server did not answer. */
async function loadStatus(client: Client): Promise<Status | null> {
  const from = Math.floor(serverNow() / MINUTE_MS) * MINUTE_MS;
  const range = { from: new Date(from).toISOString(), to: new Date(from + AHEAD_MS).toISOString() };
  const [status, upcoming] = await Promise.all([
    client.query(StatusDocument, {}).toPromise(),
    client.query(UpcomingDocument, range).toPromise(),
  ]);
  return status.data === undefined ? null : { ...status.data, upcoming: upcoming.data?.upcoming ?? null };
}
