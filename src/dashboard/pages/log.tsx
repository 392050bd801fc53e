import './log.css';
import { memo, useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { Link, useSearchParams } from 'wouter';
import { Field } from '../editor/form-parts.tsx';
import { type LogLine, LogReader, type LogState, MOST_LINES, OLDER } from '../live/log-window.ts';
import { usePolling } from '../live/polling.ts';
import { progressOf } from '../live/run-changes.ts';
import { whileCurrent } from '../live/while-current.ts';
import {
  type EventFilter,
  type EventType,
  LogActorsDocument,
  LogNamesDocument,
  LogTasksDocument,
} from '../operations.ts';
import { Finder, type Found } from '../parts/finder.tsx';
import { formatIn, formatLocalInput, formatStamp, formatTime } from '../parts/format.ts';
import { Empty, Failure, PageTitle } from '../parts/parts.tsx';
import { useSession } from '../session/context.ts';
import { StreamSign } from './now.tsx';

/** A new event is shown within this time plus that of the request. */
const POLL_MS = 1_000;

const TYPE_NAMES: Record<EventType, string> = {
  QUEUED: 'Queued',
  STARTED: 'Started',
  LOG: 'Log line',
  PROGRESS: 'Progress',
  RETRYING: 'Retrying',
  SUCCEEDED: 'Succeeded',
  FAILED: 'Failed',
  CANCELLED: 'Cancelled',
  SKIPPED: 'Skipped',
  TASK_ADDED: 'Task added',
  TASK_UPDATED: 'Task changed',
  TASK_PAUSED: 'Task paused',
  TASK_RESUMED: 'Task resumed',
  TASK_DELETED: 'Task deleted',
  TASK_RESCHEDULED: 'Rescheduled',
};
const TYPES = Object.keys(TYPE_NAMES) as EventType[];

/** The filter is in the address, so that it can be shared and outlives a reload. */
function useLogFilter() {
  const [params, setParams] = useSearchParams();
  const text = params.toString();
  const filter = useMemo((): EventFilter => {
    const given = new URLSearchParams(text);
    const types = given.getAll('type').filter((type): type is EventType => type in TYPE_NAMES);
    const task = given.get('task');
    return {
      ...(types.length === 0 ? {} : { types }),
      ...(task === null ? {} : { task: { id: task } }),
      actor: given.get('actor'),
      from: instantOf(given.get('from')),
      to: instantOf(given.get('to')),
    };
  }, [text]);
  const set = useCallback(
    (name: string, values: readonly string[]) =>
      setParams(
        (known) => {
          const next = new URLSearchParams(known);
          next.delete(name);
          for (const value of values) if (value !== '') next.append(name, value);
          return next;
        },
        { replace: true },
      ),
    [setParams],
  );
  return { filter, set, isEmpty: text === '' };
}

function instantOf(text: string | null): string | null {
  const at = Date.parse(text ?? '');
  return Number.isNaN(at) ? null : new Date(at).toISOString();
}

/** The events that match the filter. New ones are loaded while the log is followed. */
function useLog(filter: EventFilter, isFollowing: boolean) {
  const { client } = useSession();
  const [state, setState] = useState<LogState>({ held: null, isConnected: true, failure: null });
  const reader = useRef<LogReader | null>(null);
  useEffect(() => {
    setState({ held: null, isConnected: true, failure: null });
    const made = new LogReader(client, filter, setState);
    reader.current = made;
    return () => made.close();
  }, [client, filter]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new filter is loaded at once
  const poll = useCallback(async () => {
    if (isFollowing || reader.current?.isOpen === false) await reader.current?.newer();
  }, [isFollowing, client, filter]);
  usePolling(poll, POLL_MS);
  const showOlder = useCallback(() => reader.current?.older(), []);
  return { ...state, showOlder };
}

/** Every event, newest first. */
export function LogPage() {
  const { filter, set, isEmpty } = useLogFilter();
  const [isPaused, setPaused] = useState(false);
  const hasEnd = filter.to != null && Date.parse(filter.to) < Date.now();
  const isFollowing = !isPaused && !hasEnd;
  const { held, isConnected, failure, showOlder } = useLog(filter, isFollowing);
  const [isLoading, setLoading] = useState(false);
  const lines = held?.lines ?? [];
  const older = async () => {
    // New lines would push the older ones out of the window again.
    if (lines.length + OLDER > MOST_LINES) setPaused(true);
    setLoading(true);
    await showOlder();
    setLoading(false);
  };
  const byActor = useCallback((id: string) => set('actor', [id]), [set]);
  return (
    <>
      <header className="page-head">
        <PageTitle>Log</PageTitle>
        {hasEnd ? (
          <p className="sign stale">Past range</p>
        ) : isPaused ? (
          <p className="sign stale" role="status">
            Paused
          </p>
        ) : (
          <StreamSign isConnected={isConnected} behindSeconds={0} />
        )}
        {!hasEnd && (
          <button type="button" onClick={() => setPaused(!isPaused)}>
            {isPaused ? 'Follow' : 'Pause'}
          </button>
        )}
      </header>
      <Filters filter={filter} set={set} />
      <Failure message={failure} />
      {held?.wasCut === 'newer' && (
        <p className="quiet">
          Newer lines were removed: this page holds at most {MOST_LINES.toLocaleString()}. Follow the log to see them.
        </p>
      )}
      {lines.length === 0 ? (
        <Empty>{emptyText(held === null, isEmpty)}</Empty>
      ) : (
        <ol className="event-log" aria-label="Events, newest first">
          {lines.map((line) => (
            <Line key={line.cursor} line={line} onActor={byActor} />
          ))}
        </ol>
      )}
      {held?.wasCut === 'older' && (
        <p className="quiet">Older lines were removed: this page holds at most {MOST_LINES.toLocaleString()}.</p>
      )}
      {held?.hasOlder && (
        <button type="button" className="more" disabled={isLoading} onClick={() => void older()}>
          Show older
        </button>
      )}
    </>
  );
}

function emptyText(isLoading: boolean, isUnfiltered: boolean): string {
  if (isLoading) return 'Loading…';
  return isUnfiltered
    ? 'No events yet. Add a task and run it: its events appear here live.'
    : 'No event matches this filter. New events that match appear here live.';
}

interface FiltersProps {
  filter: EventFilter;
  set: (name: string, values: readonly string[]) => void;
}

function Filters({ filter, set }: FiltersProps) {
  const { client, viewer } = useSession();
  const taskId = filter.task?.id?.toString();
  const actorId = filter.actor?.toString();
  const names = useNames([taskId, actorId]);
  const findTasks = useCallback(
    async (name: string): Promise<Found[]> => {
      const { data } = await client.query(LogTasksDocument, { name }).toPromise();
      return (data?.tasks.edges ?? []).map(({ node }) => ({
        id: node.id,
        label: `${node.name} (${node.legacyId}${node.deletedAt ? ', deleted' : ''})`,
      }));
    },
    [client],
  );
  const findActors = useCallback(
    async (name: string): Promise<Found[]> => {
      const { data } = await client.query(LogActorsDocument, { name }).toPromise();
      return (data?.users.edges ?? []).map(({ node }) => ({ id: node.id, label: node.name }));
    },
    [client],
  );
  const chosen = (id: string | undefined): Found | null => (id ? { id, label: names.get(id) ?? '…' } : null);
  const types = filter.types ?? [];
  const actor = chosen(actorId);
  return (
    <form className="filters log-filters" onSubmit={(event) => event.preventDefault()}>
      <Finder
        label="Task"
        chosen={chosen(taskId)}
        find={findTasks}
        onChoose={(found) => set('task', [found?.id ?? ''])}
      />
      {/* Only admins may list users; any user can pick one from a line. */}
      {(viewer.role === 'ADMIN' || actor !== null) && (
        <Finder label="User" chosen={actor} find={findActors} onChoose={(found) => set('actor', [found?.id ?? ''])} />
      )}
      <details>
        <summary>
          Types: {types.length === 0 ? 'all' : types.map((type) => TYPE_NAMES[type]).join(', ')} · Time:{' '}
          {timeInWords(filter)}
        </summary>
        <fieldset>
          <legend className="hidden">Event types</legend>
          {TYPES.map((type) => (
            <label key={type}>
              <input
                type="checkbox"
                checked={types.includes(type)}
                onChange={({ target }) =>
                  set('type', target.checked ? [...types, type] : types.filter((each) => each !== type))
                }
              />
              {TYPE_NAMES[type]}
            </label>
          ))}
        </fieldset>
        <div className="filters">
          <Moment label="From" at={filter.from} onChange={(at) => set('from', [at])} />
          <Moment label="Before" at={filter.to} onChange={(at) => set('to', [at])} />
        </div>
      </details>
    </form>
  );
}

function timeInWords({ from, to }: EventFilter): string {
  const parts = [from ? `from ${formatTime(from)}` : '', to ? `before ${formatTime(to)}` : ''];
  return parts.filter((part) => part !== '').join(', ') || 'any';
}

interface MomentProps {
  label: string;
  at: string | null | undefined;
  onChange: (at: string) => void;
}

/** An instant, shown and entered in the browser's time zone. */
function Moment({ label, at, onChange }: MomentProps) {
  return (
    <Field label={label}>
      {(ties) => (
        <input
          {...ties}
          type="datetime-local"
          defaultValue={formatLocalInput(at)}
          onChange={({ target }) => onChange(instantOf(target.value) ?? '')}
        />
      )}
    </Field>
  );
}

/** The names of the nodes with these ids, as they are loaded. */
function useNames(ids: readonly (string | undefined)[]): ReadonlyMap<string, string> {
  const { client } = useSession();
  const [names, setNames] = useState<ReadonlyMap<string, string>>(new Map());
  const wanted = ids.filter((id) => id && !names.has(id)).join();
  useEffect(() => {
    if (wanted === '') return;
    return whileCurrent(async (signal) => {
      const { data } = await client.query(LogNamesDocument, { ids: wanted.split(',') }).toPromise();
      const found = (data?.nodes ?? []).flatMap((node) =>
        node && 'name' in node ? [[node.id, node.name] as const] : [],
      );
      if (!signal.aborted) setNames((known) => new Map([...known, ...found]));
    });
  }, [client, wanted]);
  return names;
}

/** Rendered once: an event never changes. */
const Line = memo(function Line({ line, onActor }: { line: LogLine; onActor: (id: string) => void }) {
  const { at, type, message, data, attempt, taskName, task, run, actor } = line;
  const [isOpen, setOpen] = useState(false);
  const progress = progressOf(line);
  return (
    <li className={type.toLowerCase()} data-cursor={line.cursor}>
      <time dateTime={at} title={formatIn(at, task.timeZone)}>
        {formatStamp(at)}
      </time>
      <span className="what">{TYPE_NAMES[type]}</span>
      <span className="of">
        <Link href={`/tasks/${encodeURIComponent(task.id)}`}>{taskName}</Link>
        {run && (
          <>
            {' · '}
            <Link href={`/runs/${encodeURIComponent(run.id)}`}>
              run<span className="hidden"> of {taskName}</span>
            </Link>
          </>
        )}
      </span>
      <span className="text">
        {attempt && attempt > 1 ? <span className="quiet">attempt {attempt} </span> : null}
        {message ?? (progress === null ? '' : `${Math.round(progress * 100)} %`)}
      </span>
      <span className="data">
        {data != null && progress === null && (
          <button type="button" className="plain" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
            Data
          </button>
        )}
      </span>
      <button
        type="button"
        className="plain by"
        title="Show only events by this user"
        onClick={() => onActor(actor.id)}
      >
        <span className="hidden">Show only events by </span>
        {actor.name}
      </button>
      {isOpen && <pre>{JSON.stringify(data, null, 2)}</pre>}
    </li>
  );
});
