// The load as bars, one for each step that has slots.
import { type KeyboardEvent, useId, useState } from 'react';
import { MINUTE_MS } from '../parts/intervals.ts';
import { type Bucket, formatCount, inWords, type Load, STATES, totalOf } from './states.ts';
import { type Range, ticksOf, type Zoom } from './view.ts';

interface ChartProps {
  load: Load;
  range: Range;
  zoom: Zoom;
  /** The start of the selected step; null for none. */
  selected: number | null;
  onSelect: (at: number) => void;
}

/** Hovering or the arrow keys show the counts of a bar; a click, Enter or Space selects it. */
export function LoadChart({ load, range, zoom, selected, onSelect }: ChartProps) {
  const id = useId();
  const [active, setActive] = useState<number | null>(null);
  const { buckets } = load;
  const most = niceCeiling(Math.max(...buckets.map(totalOf), 1));
  const percent = (instant: number) => ((instant - range.from) / (range.to - range.from)) * 100;
  const width = percent(range.from + range.stepMinutes * MINUTE_MS);
  const bucket = buckets.find(({ at }) => Date.parse(at) === active);
  const onKeyDown = (event: KeyboardEvent) => {
    const times = buckets.map(({ at }) => Date.parse(at));
    const next = nextTime(event.key, times, active ?? selected ?? Date.parse(load.now));
    if (next === undefined) return;
    event.preventDefault();
    if (next === 'PICK') {
      if (active !== null) onSelect(active);
    } else setActive(next);
  };
  const now = percent(Date.parse(load.now));
  return (
    <div className="chart">
      <div className="scale" aria-hidden="true">
        <span>{formatCount(most)}</span>
        <span>{most % 2 === 0 ? formatCount(most / 2) : ''}</span>
        <span>0</span>
      </div>
      <div className="plot">
        {now >= 0 && now <= 100 && <div className="now" style={{ left: `${now}%` }} aria-hidden="true" />}
        <div
          className="bars"
          role="listbox"
          aria-label="Slots by time"
          aria-orientation="horizontal"
          tabIndex={0}
          aria-activedescendant={bucket && `${id}-${active}`}
          onKeyDown={onKeyDown}
          onBlur={() => setActive(null)}
          onPointerLeave={() => setActive(null)}
        >
          {buckets.map((each) => {
            const at = Date.parse(each.at);
            return (
              <Bar
                key={each.at}
                id={`${id}-${at}`}
                bucket={each}
                most={most}
                label={`${stepName(at, range.stepMinutes, zoom)}: ${inWords(each)}`}
                left={percent(at)}
                width={width}
                isSelected={at === selected}
                isActive={at === active}
                onActivate={() => setActive(at)}
                onSelect={() => onSelect(at)}
              />
            );
          })}
        </div>
        {bucket && active !== null && (
          <Tip bucket={bucket} left={percent(active) + width / 2} title={stepName(active, range.stepMinutes, zoom)} />
        )}
      </div>
      <div className="axis" aria-hidden="true">
        {ticksOf(zoom, range).map((at) => (
          <span key={at} style={{ left: `${percent(at)}%` }}>
            {formatTick(at, zoom)}
          </span>
        ))}
      </div>
    </div>
  );
}

function nextTime(key: string, times: readonly number[], from: number): number | 'PICK' | undefined {
  if (key === 'Enter' || key === ' ') return 'PICK';
  if (key === 'ArrowRight') return times.find((at) => at > from) ?? times.at(-1);
  if (key === 'ArrowLeft') return times.findLast((at) => at < from) ?? times[0];
  if (key === 'Home') return times[0];
  return key === 'End' ? times.at(-1) : undefined;
}

interface BarProps {
  id: string;
  bucket: Bucket;
  most: number;
  label: string;
  left: number;
  width: number;
  isSelected: boolean;
  isActive: boolean;
  onActivate: () => void;
  onSelect: () => void;
}

function Bar({ id, bucket, most, label, left, width, isSelected, isActive, onActivate, onSelect }: BarProps) {
  return (
    // biome-ignore lint/a11y/useFocusableInteractive: the list has the focus and names the active option
    // biome-ignore lint/a11y/useKeyWithClickEvents: the list handles the keys
    <div
      id={id}
      role="option"
      aria-selected={isSelected}
      aria-label={label}
      className={isActive ? 'bar active' : 'bar'}
      style={{ left: `${left}%`, width: `${width}%` }}
      onPointerEnter={onActivate}
      onClick={onSelect}
    >
      {STATES.map(
        ({ field }) =>
          bucket[field] > 0 && (
            <div key={field} className={`part ${field}`} style={{ height: `${(bucket[field] / most) * 100}%` }} />
          ),
      )}
    </div>
  );
}

function Tip({ bucket, left, title }: { bucket: Bucket; left: number; title: string }) {
  const side = left < 50 ? { left: `${left}%` } : { right: `${100 - left}%` };
  return (
    <div className="tip" style={side} aria-hidden="true">
      <strong>{title}</strong>
      <dl>
        {STATES.map(
          ({ field, name }) =>
            bucket[field] > 0 && (
              <div key={field}>
                <dt className={`swatch ${field}`}>{name}</dt>
                <dd>{formatCount(bucket[field])}</dd>
              </div>
            ),
        )}
      </dl>
      {bucket.busiest.at !== bucket.at && (
        <span className="quiet">
          max at {CLOCK.format(Date.parse(bucket.busiest.at))}: {formatCount(bucket.busiest.count)}
        </span>
      )}
    </div>
  );
}

/** The top of the scale: up to 10 the count itself, else the next of 1, 2, 4, 5, 6 or 8 times a power of ten. */
function niceCeiling(count: number): number {
  if (count <= 10) return count;
  const power = 10 ** Math.floor(Math.log10(count));
  const factor = [1, 2, 4, 5, 6, 8, 10].find((each) => each * power >= count) ?? 10;
  return factor * power;
}

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
const DAY_AND_CLOCK = new Intl.DateTimeFormat(undefined, {
  weekday: 'short',
  day: 'numeric',
  month: 'short',
  hour: '2-digit',
  minute: '2-digit',
  hourCycle: 'h23',
});
const WEEKDAY = new Intl.DateTimeFormat(undefined, { weekday: 'short', day: 'numeric' });
const DAY = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' });

function formatTick(at: number, zoom: Zoom): string {
  if (zoom === 'week') return WEEKDAY.format(at);
  return zoom === 'month' ? DAY.format(at) : CLOCK.format(at);
}

/** The step as a time, or as a range if it is longer than a minute. */
export function stepName(at: number, stepMinutes: number, zoom: Zoom): string {
  const begin = (zoom === 'hour' ? CLOCK : DAY_AND_CLOCK).format(at);
  return stepMinutes === 1 ? begin : `${begin}–${CLOCK.format(at + stepMinutes * MINUTE_MS)}`;
}

export function minuteName(at: number): string {
  return DAY_AND_CLOCK.format(at);
}

/** The range as text. */
export function rangeName({ from, to }: Range): string {
  return DAY_AND_CLOCK.formatRange(from, to);
}
