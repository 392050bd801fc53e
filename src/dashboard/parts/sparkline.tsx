// The last runs of a task as bars: the height is the duration, the color the state.

import type { RunState, TaskLineFragment } from '../operations.ts';
import { formatSeconds, STATE_NAMES } from './format.ts';

type Run = TaskLineFragment['runs']['edges'][number]['node'];

/** The width is that of this many bars, even if there are fewer runs. */
const BARS = 12;
const STEP = 7;
const HEIGHT = 24;
/** The height of a run that took no time or never started. */
const LEAST = 4;

/** `runs` are newest first; the chart shows the oldest first. */
export function Sparkline({ runs, name }: { runs: readonly Run[]; name: string }) {
  if (runs.length === 0) return <span className="quiet">—</span>;
  const shown = runs.slice(0, BARS).toReversed();
  const longest = Math.max(...shown.map(secondsOf), 0.001);
  return (
    <svg
      className="sparkline"
      role="img"
      aria-label={`The last runs of ${name}: ${inWords(shown)}`}
      viewBox={`0 0 ${BARS * STEP} ${HEIGHT}`}
      width={BARS * STEP}
      height={HEIGHT}
    >
      {shown.map((run, index) => {
        const height = LEAST + (HEIGHT - LEAST) * (secondsOf(run) / longest);
        const x = (BARS - shown.length + index) * STEP;
        return (
          <rect
            key={run.id}
            className={run.state.toLowerCase()}
            x={x}
            y={HEIGHT - height}
            width={STEP - 2}
            height={height}
          >
            <title>{`${STATE_NAMES[run.state]}${run.startedAt && run.finishedAt ? `, ${formatSeconds(secondsOf(run))}` : ''}`}</title>
          </rect>
        );
      })}
    </svg>
  );
}

function secondsOf({ startedAt, finishedAt }: Run): number {
  return startedAt && finishedAt ? (Date.parse(finishedAt) - Date.parse(startedAt)) / 1_000 : 0;
}

function inWords(runs: readonly Run[]): string {
  const counts = new Map<RunState, number>();
  for (const { state } of runs) counts.set(state, (counts.get(state) ?? 0) + 1);
  return [...counts].map(([state, count]) => `${count} ${STATE_NAMES[state].toLowerCase()}`).join(', ');
}
