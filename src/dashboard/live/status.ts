// What the runners have to do, how late they do it, and what comes next: asked for again when runs have changed.
import type { Client } from '@urql/core';
import { useEffect, useRef, useState } from 'react';
import { StatusDocument, type StatusQuery, UpcomingDocument, type UpcomingQuery } from '../operations.ts';
import { DAY_MS, MINUTE_MS } from '../parts/intervals.ts';
import { useSession } from '../session/context.ts';
import { serverNow } from './clock.ts';
import { pause } from './pause.ts';
import { whileCurrent } from './while-current.ts';

/** How often it is looked whether it is time to ask. */
const LOOK_MS = 250;
/** Where nothing is told: runners come and go, and time passes. */
const IDLE_MS = 10_000;
/** However much is told. */
const LEAST_MS = 2_000;
/** The server spends no more than this part of its time on one viewer. */
const SHARE = 0.05;
const AHEAD_MS = 31 * DAY_MS;

export interface Status extends StatusQuery {
  upcoming: UpcomingQuery['upcoming'] | null;
}

/** `changed` is another value whenever something has happened. */
export function useStatus(changed: unknown): Status | null {
  const { client } = useSession();
  const [status, setStatus] = useState<Status | null>(null);
  const hasChanged = useRef(false);
  // biome-ignore lint/correctness/useExhaustiveDependencies: that it changed is all that is wanted of it
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

/** Null where the server did not answer. */
async function loadStatus(client: Client): Promise<Status | null> {
  const from = Math.floor(serverNow() / MINUTE_MS) * MINUTE_MS;
  const range = { from: new Date(from).toISOString(), to: new Date(from + AHEAD_MS).toISOString() };
  const [told, coming] = await Promise.all([
    client.query(StatusDocument, {}).toPromise(),
    client.query(UpcomingDocument, range).toPromise(),
  ]);
  return told.data === undefined ? null : { ...told.data, upcoming: coming.data?.upcoming ?? null };
}
