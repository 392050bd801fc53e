import { memo, type UIEvent, useEffect, useLayoutEffect, useRef, useState } from 'react';
import { Link, useLocation } from 'wouter';
import { CursorExpired, createRunFeed, type RunEvent } from '../../client/index.ts';
import { batched } from '../live/batched.ts';
import { pause } from '../live/pause.ts';
import { RELOAD_MS, refresher } from '../live/reloading.ts';
import { progressOf } from '../live/run-changes.ts';
import { whileCurrent } from '../live/while-current.ts';
import {
  CancelRunDocument,
  OneRunDocument,
  type OneRunQuery,
  RetryRunDocument,
  RunLogDocument,
  type RunLogQuery,
} from '../operations.ts';
import { formatClock, formatDuration, formatTime } from '../parts/format.ts';
import { Empty, Failure, PageTitle, ProgressBar, StateBadge, Time, useNow } from '../parts/parts.tsx';
import { useSession } from '../session/context.ts';
import { socketUrl } from '../session/socket-url.ts';
import { StreamSign } from './now.tsx';

/** A run may log without end; the page holds its last lines. */
const MOST_LINES = 2_000;
/** The log is followed while it is scrolled this close to its end. */
const NEAR_END_PX = 40;

type Line = Pick<
  NonNullable<RunLogQuery['run']>['events']['edges'][number]['node'],
  'cursor' | 'at' | 'type' | 'attempt'
> & { message?: string | null };
type Run = NonNullable<OneRunQuery['run']>;

interface LogPart {
  /** In order. At most the newest MOST_LINES, unless the user loaded earlier ones. */
  lines: readonly Line[];
  /** Whether the log has lines before the first. */
  hasEarlier: boolean;
}

/** A run and the end of its log: the stored events, then the live ones, each once and in order. */
function useRun(id: string) {
  const { client, authorization, signOut } = useSession();
  const [run, setRun] = useState<Run | null | undefined>(undefined);
  const [log, setLog] = useState<LogPart>({ lines: [], hasEarlier: false });
  const [isConnected, setConnected] = useState(true);
  useEffect(() => {
    return whileCurrent((signal) => {
      const refresh = refresher(async () => {
        const { data } = await client.query(OneRunDocument, { id }).toPromise();
        if (data !== undefined && !signal.aborted) setRun(data.run ?? null);
        return data !== undefined || signal.aborted;
      });
      const show = batched((events: readonly RunEvent[]) => {
        if (signal.aborted) return;
        setLog((known) => withLines(known, events));
        const progress = events.map(progressOf).findLast((each) => each !== null);
        if (progress !== undefined) setRun((known) => known && { ...known, progress });
        // Log lines and progress change nothing else of the run.
        if (events.some(({ type }) => type !== 'LOG' && type !== 'PROGRESS')) void refresh();
      });
      const follow = async () => {
        while (!signal.aborted) {
          const end = await loadLines(client, id, null, signal);
          if (end !== null) setLog(end);
          // After the log: the feed starts at the log's end, so it reports every change that this query misses.
          await refresh();
          if (signal.aborted || end === null) return;
          const feed = createRunFeed({
            url: socketUrl(),
            authorization,
            run: id,
            after: end.endCursor,
            onConnected: setConnected,
          });
          signal.addEventListener('abort', () => feed.close());
          try {
            for await (const event of feed) show(event);
          } catch (error) {
            // Retention or a restore has removed the events after our cursor: reload the end of the log.
            if (!(error instanceof CursorExpired)) throw error;
          } finally {
            feed.close();
          }
        }
      };
      follow().catch((error: unknown) => signOut(error instanceof Error ? error.message : String(error)));
    });
  }, [client, authorization, signOut, id]);
  const [first] = log.lines;
  const showEarlier = async () => {
    const earlier = await loadLines(client, id, first?.cursor ?? null, new AbortController().signal);
    if (earlier === null) return;
    setLog((known) => {
      // Live lines may have pushed out our first line meanwhile: then there would be a gap.
      if (known.lines[0]?.cursor !== first?.cursor) return known;
      return { lines: [...earlier.lines, ...known.lines], hasEarlier: earlier.hasEarlier };
    });
  };
  return { run, log, isConnected, showEarlier };
}

function withLines({ lines, hasEarlier }: LogPart, more: readonly Line[]): LogPart {
  const all = [...lines, ...more];
  const most = Math.max(MOST_LINES, lines.length);
  return all.length <= most ? { lines: all, hasEarlier } : { lines: all.slice(-most), hasEarlier: true };
}

/** The last lines of the log, or those before a cursor, with their end cursor. Null if the run does not exist. */
async function loadLines(
  client: ReturnType<typeof useSession>['client'],
  id: string,
  before: string | null,
  signal: AbortSignal,
): Promise<(LogPart & { endCursor: string | undefined }) | null> {
  while (!signal.aborted) {
    const { data } = await client.query(RunLogDocument, { id, before }).toPromise();
    if (data === undefined) {
      await pause(RELOAD_MS, signal);
      continue;
    }
    if (!data.run) return null;
    const { edges, pageInfo } = data.run.events;
    return {
      lines: edges.map(({ node }) => node),
      hasEarlier: pageInfo.hasPreviousPage,
      endCursor: pageInfo.endCursor ?? undefined,
    };
  }
  return null;
}

export function RunPage({ id }: { id: string }) {
  const { run, log, isConnected, showEarlier } = useRun(id);
  const now = useNow();
  const [failure, setFailure] = useState<string | null>(null);
  if (run === undefined) return <Empty>Loading…</Empty>;
  if (run === null) return <Empty>This run does not exist, or retention has deleted it.</Empty>;
  const end = run.finishedAt ? Date.parse(run.finishedAt) : now;
  return (
    <>
      <header className="page-head">
        <PageTitle name={`Run of ${run.task.name}`}>
          <Link href={`/tasks/${encodeURIComponent(run.task.id)}`}>{run.task.name}</Link>
        </PageTitle>
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
        {run.runner && (
          <>
            <dt>Runner</dt>
            <dd>
              {run.runner.host}, process {run.runner.pid}
            </dd>
          </>
        )}
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
      <Log log={log} showEarlier={() => void showEarlier()} />
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

/** Follows the end of the log, unless the user has scrolled away from it. */
function Log({ log: { lines, hasEarlier }, showEarlier }: { log: LogPart; showEarlier: () => void }) {
  const [search, setSearch] = useState('');
  const list = useRef<HTMLOListElement>(null);
  const isFollowing = useRef(true);
  const shown = lines.filter(({ type, message }) => type !== 'PROGRESS' && matches(type, message, search));
  // biome-ignore lint/correctness/useExhaustiveDependencies: it scrolls whenever lines were added
  useLayoutEffect(() => {
    if (list.current && isFollowing.current) list.current.scrollTop = list.current.scrollHeight;
  }, [shown.length]);
  const onScroll = ({ currentTarget }: UIEvent<HTMLOListElement>) => {
    const { scrollHeight, scrollTop, clientHeight } = currentTarget;
    isFollowing.current = scrollHeight - scrollTop - clientHeight < NEAR_END_PX;
  };
  return (
    <section aria-labelledby="log">
      <header className="section-head">
        <h2 id="log">Log</h2>
        <label>
          Search
          <input type="search" value={search} onChange={(event) => setSearch(event.target.value)} />
        </label>
      </header>
      {hasEarlier && (
        <button type="button" className="more" onClick={showEarlier}>
          Show earlier lines
        </button>
      )}
      {shown.length === 0 ? (
        <Empty>{search === '' ? 'No log lines yet.' : 'No loaded line contains this text.'}</Empty>
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrollable element must be reachable by keyboard
        <ol className="lines" ref={list} onScroll={onScroll} tabIndex={0} aria-labelledby="log">
          {shown.map((line) => (
            <LogLine key={line.cursor} line={line} />
          ))}
        </ol>
      )}
    </section>
  );
}

/** Rendered once, however many lines follow. */
const LogLine = memo(({ line: { at, type, message, attempt } }: { line: Line }) => (
  <li className={type.toLowerCase()}>
    <time dateTime={at} title={formatTime(at)}>
      {formatClock(at)}
    </time>
    <span>
      {type !== 'LOG' && (
        <span className="type">
          {type.toLowerCase()}
          {attemptName(type, attempt)}
        </span>
      )}{' '}
      <span className="text">{message}</span>
    </span>
  </li>
));

/** The number of a retry; most runs have one attempt. */
function attemptName(type: string, attempt: number | null | undefined): string {
  return type === 'STARTED' && attempt && attempt > 1 ? ` attempt ${attempt}` : '';
}

function matches(type: string, message: string | null | undefined, search: string): boolean {
  return search === '' || `${type} ${message ?? ''}`.toLowerCase().includes(search.toLowerCase());
}
