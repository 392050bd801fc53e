// Applies events to the runs that are shown.
import type { RunEvent } from '../../client/index.ts';
import type { RunState } from '../operations.ts';
import type { LiveRun, LiveRuns } from './run-snapshot.ts';

/** How many ended runs are kept, and how many failed or skipped ones, newest first. */
const ENDED = 25;
const WRONG = 10;
/** Queued runs are added up to this number of open runs; beyond it only `hasMore.queued` is set. */
const MOST_QUEUED = 500;

/**
 * The runs after these events, which must be in the order of the log. An event older than the snapshot may set a run
 * back; the events after it bring it up to date again.
 */
export function withEvents(runs: LiveRuns, events: readonly RunEvent[]): LiveRuns {
  const open = new Map(runs.open);
  let { ended, wrong } = runs;
  let { queued: hasMoreQueued } = runs.hasMore;
  for (const event of events) {
    if (event.run === null || event.state === null) continue;
    const run = runAfter(event, event.run.id, open.get(event.run.id), event.state);
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

const isWrong = ({ state }: LiveRun) => state === 'FAILED' || state === 'SKIPPED';

/** A run after an event of it. */
function runAfter(event: RunEvent, id: string, known: LiveRun | undefined, state: RunState): LiveRun {
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

/** The progress that a PROGRESS event carries; null for every other event. */
export function progressOf({ type, data }: { type: string; data?: unknown }): number | null {
  if (type !== 'PROGRESS' || typeof data !== 'object' || data === null || !('progress' in data)) return null;
  return Number(data.progress);
}
