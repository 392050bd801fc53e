// A bar chart of how long the last runs of a task took.
import { useLocation } from 'wouter';
import type { DurationsQuery } from '../operations.ts';
import { formatSeconds, formatTime, STATE_NAMES } from './format.ts';

type Run = NonNullable<DurationsQuery['task']>['runs']['edges'][number]['node'];

const WIDTH = 1_000;
const HEIGHT = 160;
/** Space for the scale, left of the bars. */
const MARGIN = 70;
const BARS = 100;
/** Tick intervals of the scale, in seconds. */
const NICE = [
  0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400,
];

/** `runs` are finished, newest first; the chart shows the oldest first. */
export function Durations({ runs }: { runs: readonly Run[] }) {
  const [, navigate] = useLocation();
  const shown = runs.slice(0, BARS).toReversed();
  const longest = Math.max(...shown.map(secondsOf));
  const step = NICE.find((each) => longest / each <= 4) ?? 28_800;
  const top = Math.max(step, Math.ceil(longest / step) * step);
  const ticks = Array.from({ length: Math.round(top / step) + 1 }, (_, index) => index * step);
  const y = (seconds: number) => 10 + (HEIGHT - 20) * (1 - seconds / top);
  const width = (WIDTH - MARGIN) / BARS;
  return (
    <svg className="durations" role="img" aria-label={inWords(shown)} viewBox={`0 0 ${WIDTH} ${HEIGHT}`}>
      {ticks.map((seconds) => (
        <g key={seconds}>
          <line className="grid" x1={MARGIN} x2={WIDTH} y1={y(seconds)} y2={y(seconds)} />
          <text x={MARGIN - 8} y={y(seconds) + 4} textAnchor="end">
            {seconds === 0 ? '0' : formatSeconds(seconds)}
          </text>
        </g>
      ))}
      {shown.map((run, index) => {
        const height = Math.max(2, y(0) - y(secondsOf(run)));
        const x = MARGIN + (BARS - shown.length + index) * width;
        return (
          // biome-ignore lint/a11y/noStaticElementInteractions: the run table has the same links for keyboard users
          <rect
            key={run.id}
            className={run.state.toLowerCase()}
            x={x}
            y={y(0) - height}
            width={width * 0.8}
            height={height}
            onClick={() => navigate(`/runs/${encodeURIComponent(run.id)}`)}
          >
            <title>{`${STATE_NAMES[run.state]}, ${formatSeconds(secondsOf(run))}, ${formatTime(run.startedAt ?? '')}`}</title>
          </rect>
        );
      })}
    </svg>
  );
}

function secondsOf({ startedAt, finishedAt }: Run): number {
  return startedAt && finishedAt ? Math.max(0, Date.parse(finishedAt) - Date.parse(startedAt)) / 1_000 : 0;
}

function inWords(runs: readonly Run[]): string {
  const seconds = runs.map(secondsOf).toSorted((left, right) => left - right);
  const median = seconds[Math.floor(seconds.length / 2)];
  return `The last ${runs.length} runs took ${formatSeconds(seconds[0])} to ${formatSeconds(seconds.at(-1))}, median ${formatSeconds(median)}.`;
}
