import { useEffect, useState } from 'react';
import { Link, useLocation } from 'wouter';
import { CursorExpired, createRunFeed, type RunEvent } from '../../../examples/run-feed.ts';
import { useSession } from '../context.ts';
import { formatClock, formatDuration, formatTime } from '../format.ts';
import { batched, pause, progressOf, RELOAD_MS, socketUrl } from '../live-runs.ts';
import {
  CancelRunDocument,
  OneRunDocument,
  type OneRunQuery,
  RetryRunDocument,
  RunLogDocument,
  type RunLogQuery,
} from '../operations.ts';
import { Empty, Failure, ProgressBar, StateBadge, Time, useNow } from '../parts.tsx';
import { StreamSign } from './now.tsx';

type Line = Pick<
  NonNullable<RunLogQuery['run']>['events']['edges'][number]['node'],
  'cursor' | 'at' | 'type' | 'attempt'
> & { message?: string | null };
type Run = NonNullable<OneRunQuery['run']>;

/** A run and its log: what is there, then what comes, once and in order. */
function useRun(id: string) {
  const { client, authorization, signOut } = useSession();
  const [run, setRun] = useState<Run | null | undefined>(undefined);
  const [lines, setLines] = useState<readonly Line[]>([]);
  const [isConnected, setConnected] = useState(true);
  useEffect(() => {
    const ended = new AbortController();
    const { signal } = ended;
    const refresh = refresher(async () => {
      const { data } = await client.query(OneRunDocument, { id }).toPromise();
      if (data !== undefined && !signal.aborted) setRun(data.run ?? null);
      return data !== undefined || signal.aborted;
    });
    const show = batched((events: readonly RunEvent[]) => {
      if (signal.aborted) return;
      setLines((known) => [...known, ...events]);
      const progress = events.map(progressOf).findLast((each) => each !== null);
      if (progress !== undefined) setRun((known) => known && { ...known, progress });
      // What a run logs does not change what else it is.
      if (events.some(({ type }) => type !== 'LOG' && type !== 'PROGRESS')) void refresh();
    });
    const follow = async () => {
      while (!signal.aborted) {
        const after = await loadLog(client, id, signal, setLines);
        // In this order: what the run becomes from here on is told by the feed.
        await refresh();
        if (signal.aborted || after === undefined) return;
        const feed = createRunFeed({ url: socketUrl(), authorization, run: id, after, onConnected: setConnected });
        signal.addEventListener('abort', () => feed.close());
        try {
          for await (const event of feed) show(event);
        } catch (error) {
          // The log has gone on without us: all of it is loaded anew.
          if (!(error instanceof CursorExpired)) throw error;
        } finally {
          feed.close();
        }
      }
    };
    follow().catch((error: unknown) => signOut(error instanceof Error ? error.message : String(error)));
    return () => ended.abort();
  }, [client, authorization, signOut, id]);
  return { run, lines, isConnected };
}

/** One load at a time, again where it is asked for meanwhile, and until one has worked: the newest answer is the last. */
function refresher(load: () => Promise<boolean>): () => Promise<void> {
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

/** All pages of the log that is there; returns where it ends, and undefined for a run that there is not. */
async function loadLog(
  client: ReturnType<typeof useSession>['client'],
  id: string,
  signal: AbortSignal,
  setLines: (lines: readonly Line[]) => void,
): Promise<string | undefined> {
  let lines: Line[] = [];
  let after: string | undefined;
  while (!signal.aborted) {
    const { data, error } = await client.query(RunLogDocument, { id, after: after ?? null }).toPromise();
    if (error !== undefined) {
      await pause(RELOAD_MS);
      continue;
    }
    const events = data?.run?.events;
    if (!events) return undefined;
    lines = [...lines, ...events.edges.map(({ node }) => node)];
    after = events.pageInfo.endCursor ?? after;
    setLines(lines);
    if (!events.pageInfo.hasNextPage) return after;
  }
  return after;
}

export function RunPage({ id }: { id: string }) {
  const { run, lines, isConnected } = useRun(id);
  const now = useNow();
  const [failure, setFailure] = useState<string | null>(null);
  if (run === undefined) return <Empty>Loading…</Empty>;
  if (run === null) return <Empty>There is no such run, or no more: retention removes old ones.</Empty>;
  const end = run.finishedAt ? Date.parse(run.finishedAt) : now;
  return (
    <>
      <header className="page-head">
        <h1>
          <Link href={`/tasks/${encodeURIComponent(run.task.id)}`}>{run.task.name}</Link>
        </h1>
        <StateBadge state={run.state} />
        {!run.finishedAt && <StreamSign isConnected={isConnected} behindSeconds={0} />}
        <RunActions run={run} onFailure={setFailure} />
      </header>
      <Failure message={failure} />
      <dl className="facts">
        <dt>Trigger</dt>
        <dd>
          {run.trigger.toLowerCase()} by {run.actor.name}
        </dd>
        <dt>Slot</dt>
        <dd>
          <Time at={run.slot} timeZone={run.task.timeZone} />
        </dd>
        <dt>Attempt</dt>
        <dd>{run.attempt}</dd>
        <dt>Started</dt>
        <dd>
          <Time at={run.startedAt} timeZone={run.task.timeZone} />
          {run.startedAt && `, ${formatDuration((end - Date.parse(run.startedAt)) / 1_000)}`}
        </dd>
        {run.nextAttemptAt && (
          <>
            <dt>Next attempt</dt>
            <dd>
              <Time at={run.nextAttemptAt} timeZone={run.task.timeZone} />
            </dd>
          </>
        )}
        {run.retryOf && (
          <>
            <dt>Retry of</dt>
            <dd>
              <Link href={`/runs/${encodeURIComponent(run.retryOf.id)}`}>an earlier run</Link>
            </dd>
          </>
        )}
      </dl>
      {run.state === 'RUNNING' && <ProgressBar value={run.progress} label="Progress" />}
      {run.message && <p className="outcome">{run.message}</p>}
      <Log lines={lines} />
    </>
  );
}

function RunActions({ run, onFailure }: { run: Run; onFailure: (message: string | null) => void }) {
  const { client, viewer } = useSession();
  const [, navigate] = useLocation();
  if (viewer.role === 'VIEWER') return null;
  const cancel = async () => {
    const { error } = await client.mutation(CancelRunDocument, { id: run.id }).toPromise();
    onFailure(error?.message ?? null);
  };
  const retry = async () => {
    const { data, error } = await client
      .mutation(RetryRunDocument, { id: run.id, key: crypto.randomUUID() })
      .toPromise();
    onFailure(error?.message ?? null);
    const again = data?.retryRun?.run?.id;
    if (again !== undefined) navigate(`/runs/${encodeURIComponent(again)}`);
  };
  return run.finishedAt ? (
    <button type="button" onClick={() => void retry()}>
      Run again
    </button>
  ) : (
    <button type="button" className="danger" onClick={() => void cancel()}>
      Cancel
    </button>
  );
}

/** Follows its end, unless whoever reads has scrolled away from it. */
function Log({ lines }: { lines: readonly Line[] }) {
  const [search, setSearch] = useState('');
  const [list, setList] = useState<HTMLOListElement | null>(null);
  const shown = lines.filter(({ type, message }) => type !== 'PROGRESS' && matches(type, message, search));
  // biome-ignore lint/correctness/useExhaustiveDependencies: it scrolls whenever there are more lines
  useEffect(() => {
    if (list && list.scrollHeight - list.scrollTop - list.clientHeight < 200) list.scrollTop = list.scrollHeight;
  }, [list, shown.length]);
  return (
    <section aria-labelledby="log">
      <header className="section-head">
        <h2 id="log">Log</h2>
        <label>
          Search
          <input type="search" value={search} onChange={(event) => setSearch(event.target.value)} />
        </label>
      </header>
      {shown.length === 0 ? (
        <Empty>{search === '' ? 'Nothing was logged yet.' : 'No line holds that.'}</Empty>
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by the keyboard
        <ol className="lines" ref={setList} tabIndex={0} aria-labelledby="log">
          {shown.map(({ cursor, at, type, message, attempt }) => (
            <li key={cursor} className={type.toLowerCase()}>
              <time dateTime={at} title={formatTime(at)}>
                {formatClock(at)}
              </time>
              <span className="type">{type === 'LOG' ? attemptName(attempt) : type.toLowerCase()}</span>
              <span className="text">{message}</span>
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}

/** Most runs have one. */
function attemptName(attempt: number | null | undefined): string {
  return attempt && attempt > 1 ? `attempt ${attempt}` : '';
}

function matches(type: string, message: string | null | undefined, search: string): boolean {
  return search === '' || `${type} ${message ?? ''}`.toLowerCase().includes(search.toLowerCase());
}
