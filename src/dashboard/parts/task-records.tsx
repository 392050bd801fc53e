// The records of a task: its runs, and its changes by users.
import { useCallback, useEffect, useRef, useState } from 'react';
import { Link } from 'wouter';
import { rulesInWords } from '../../calendar/rule-words.ts';
import type { Task } from '../live/use-task.ts';
import { whileCurrent } from '../live/while-current.ts';
import { type RunLineFragment, TaskHistoryDocument, type TaskHistoryQuery, TaskRunsDocument } from '../operations.ts';
import { useSession } from '../session/context.ts';
import { formatDuration, formatSeconds } from './format.ts';
import { Ago, Empty, StateBadge, Time } from './parts.tsx';

/** Rows per page. */
const PAGE = 20;

/** A paged list, newest first. The first page is reloaded when `changes` grows, the others are loaded on request. */
function usePages<Item, Place>(
  load: (place: Place | null) => Promise<{ items: readonly Item[]; next: Place | null } | null>,
  changes: number,
  keyOf: (item: Item) => string,
) {
  const first = useRef<readonly Item[]>([]);
  const [newest, setNewest] = useState<readonly Item[] | null>(null);
  const [older, setOlder] = useState<readonly Item[]>([]);
  const [next, setNext] = useState<Place | null>(null);
  const isOpened = older.length > 0;
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new `changes` reloads
  useEffect(() => {
    return whileCurrent(async (signal) => {
      const page = await load(null);
      if (signal.aborted || page === null) return;
      const before = first.current;
      first.current = page.items;
      setNewest(page.items);
      if (!isOpened) return setNext(page.next);
      // Items pushed off the first page go between it and the opened pages.
      const known = new Set(page.items.map(keyOf));
      const pushedOff = before.filter((item) => !known.has(keyOf(item)));
      if (pushedOff.length < before.length) return setOlder((opened) => [...pushedOff, ...opened]);
      // More than a page is new: items between it and the opened pages are unknown, so close those.
      setOlder([]);
      setNext(page.next);
    });
  }, [load, changes, isOpened, keyOf]);
  const showOlder = async () => {
    const page = next === null ? null : await load(next);
    if (page === null) return;
    setOlder((known) => [...known, ...page.items]);
    setNext(page.next);
  };
  return { newest, older, hasOlder: next !== null, showOlder };
}

export function Runs({ task, changes, now }: { task: Task; changes: number; now: number }) {
  const { client } = useSession();
  const load = useCallback(
    async (after: string | null) => {
      const { data } = await client.query(TaskRunsDocument, { id: task.id, first: PAGE, after }).toPromise();
      const runs = data?.task?.runs;
      if (!runs) return null;
      const { hasNextPage, endCursor } = runs.pageInfo;
      return { items: runs.edges.map(({ node }) => node), next: hasNextPage ? (endCursor ?? null) : null };
    },
    [client, task.id],
  );
  const { newest, older, hasOlder, showOlder } = usePages(load, changes, runKey);
  // A run may be in both: the first page has its newer state.
  const runs = [...new Map([...older, ...(newest ?? [])].map((run) => [run.id, run])).values()].toSorted(byAge);
  return (
    <section aria-labelledby="runs">
      <h2 id="runs">Runs</h2>
      {runs.length === 0 ? (
        <Empty>{newest === null ? 'Loading…' : 'No runs yet. Run the task now, or wait for its next slot.'}</Empty>
      ) : (
        <div className="scroll">
          <table className="stack">
            <caption className="hidden">Runs, newest first</caption>
            <thead>
              <tr>
                <th scope="col">Slot</th>
                <th scope="col">State</th>
                <th scope="col">Recorded</th>
                <th scope="col">Duration</th>
                <th scope="col">Message</th>
              </tr>
            </thead>
            <tbody>
              {runs.map((run) => (
                <tr key={run.id}>
                  <td className="when">
                    <Link href={`/runs/${encodeURIComponent(run.id)}`}>
                      {run.slot ? <Time at={run.slot} timeZone={task.timeZone} /> : run.trigger.toLowerCase()}
                    </Link>
                  </td>
                  <td>
                    <StateBadge state={run.state} />
                  </td>
                  <td className="when">
                    <Ago at={run.queuedAt} now={now} timeZone={task.timeZone} />
                  </td>
                  <td className="when">{took(run, now)}</td>
                  <td className="message">{run.message}</td>
                </tr>
              ))}
            </tbody>
          </table>
          {hasOlder && (
            <button type="button" className="more" onClick={() => void showOlder()}>
              Show older runs
            </button>
          )}
        </div>
      )}
    </section>
  );
}

const runKey = ({ id }: RunLineFragment) => id;
const eventKey = ({ cursor }: HistoryEvent) => cursor;

function byAge(left: RunLineFragment, right: RunLineFragment): number {
  return Date.parse(right.queuedAt) - Date.parse(left.queuedAt);
}

function took({ startedAt, finishedAt }: RunLineFragment, now: number): string {
  if (!startedAt) return '—';
  const seconds = ((finishedAt ? Date.parse(finishedAt) : now) - Date.parse(startedAt)) / 1_000;
  return finishedAt ? formatSeconds(seconds) : `${formatDuration(seconds)} so far`;
}

type HistoryEvent = NonNullable<TaskHistoryQuery['task']>['events']['edges'][number]['node'];

const DONE: Partial<Record<HistoryEvent['type'], string>> = {
  TASK_ADDED: 'added it',
  TASK_UPDATED: 'changed it',
  TASK_PAUSED: 'paused it',
  TASK_RESUMED: 'resumed it',
  TASK_DELETED: 'deleted it',
};

/** `from → to` of a changed field. */
function changeInWords(field: string, value: unknown): string {
  if (typeof value !== 'object' || value === null || !('from' in value && 'to' in value)) return inWords(field, value);
  return `${inWords(field, value.from)} → ${inWords(field, value.to)}`;
}

function inWords(field: string, value: unknown): string {
  if (field === 'repeatItems' && Array.isArray(value)) return rulesInWords(value).join('; ') || 'no rules';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** Changes by users, and many consecutive slots that were skipped together. */
export function History({ task, changes }: { task: Task; changes: number }) {
  const { client } = useSession();
  const load = useCallback(
    async (before: string | null) => {
      const { data } = await client.query(TaskHistoryDocument, { id: task.id, last: PAGE, before }).toPromise();
      const events = data?.task?.events;
      if (!events) return null;
      const { hasPreviousPage, startCursor } = events.pageInfo;
      const items = events.edges.map(({ node }) => node).toReversed();
      return { items, next: hasPreviousPage ? (startCursor ?? null) : null };
    },
    [client, task.id],
  );
  const { newest, older, hasOlder, showOlder } = usePages(load, changes, eventKey);
  const events = [...new Map([...(newest ?? []), ...older].map((event) => [event.cursor, event])).values()];
  return (
    <section aria-labelledby="history">
      <h2 id="history">History</h2>
      {events.length === 0 ? (
        <Empty>{newest === null ? 'Loading…' : 'No entries, or retention has deleted them.'}</Empty>
      ) : (
        <ul className="list">
          {events.map(({ cursor, at, type, actor, message, data }) => (
            <li key={cursor}>
              <span>
                {DONE[type] ? `${actor.name} ${DONE[type]}` : 'The next slot was moved'}
                {message && `: ${message}`}
              </span>
              <span className="quiet">
                <Time at={at} timeZone={task.timeZone} />
              </span>
              {Object.entries(Object(data)).map(([field, value]) => (
                <span key={field} className="said">
                  {field}: {changeInWords(field, value)}
                </span>
              ))}
            </li>
          ))}
        </ul>
      )}
      {hasOlder && (
        <button type="button" className="more" onClick={() => void showOlder()}>
          Show older entries
        </button>
      )}
    </section>
  );
}
