import './timeline.css';
import { useEffect, useState } from 'react';
import { Link, useLocation, useSearchParams } from 'wouter';
import { pause } from '../live/pause.ts';
import { whileCurrent } from '../live/while-current.ts';
import { SlotLoadDocument } from '../operations.ts';
import { MINUTE_MS } from '../parts/intervals.ts';
import { Empty, Failure, PageTitle, Time } from '../parts/parts.tsx';
import { useSession } from '../session/context.ts';
import { LoadChart, minuteName, rangeName, stepName } from '../timeline/chart.tsx';
import { Lanes } from '../timeline/lanes.tsx';
import { countOf, formatCount, inWords, type Load, STATES, totalOf } from '../timeline/states.ts';
import { Troubles } from '../timeline/troubles.tsx';
import { centred, type Range, rangeOf, readView, type View, writeView, ZOOM_NAMES, ZOOMS } from '../timeline/view.ts';

/** Pause between two queries, as a multiple of how long the last one took. */
const REST = 10;

interface Shown {
  load: Load;
  range: Range;
}

/** The load of the view's range, reloaded at the interval of its zoom, or less often while the server is slow. */
function useLoad({ zoom, from }: View) {
  const { client } = useSession();
  const [shown, setShown] = useState<Shown | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  useEffect(() => {
    return whileCurrent(async (signal) => {
      while (!signal.aborted) {
        const range = rangeOf({ zoom, from }, Date.now());
        const begun = performance.now();
        const { data, error } = document.hidden
          ? {}
          : await client
              .query(SlotLoadDocument, {
                from: new Date(range.from).toISOString(),
                to: new Date(range.to).toISOString(),
                step: range.stepMinutes,
              })
              .toPromise();
        if (signal.aborted) return;
        if (data) setShown({ load: data.slotLoad, range });
        if (data || error) setFailure(error?.message ?? null);
        const took = performance.now() - begun;
        await pause(Math.max(ZOOMS[zoom].reloadMs, took * REST), signal);
      }
    });
  }, [client, zoom, from]);
  return { shown, failure };
}

/** Past and future slots of all tasks on one axis. */
export function TimelinePage() {
  const [search] = useSearchParams();
  const [, navigate] = useLocation();
  const view = readView(search);
  const { zoom, at } = view;
  const { shown, failure } = useLoad(view);
  // Until the new zoom is loaded, `shown` belongs to the previous one.
  const isFresh = shown !== null && shown.range.stepMinutes === ZOOMS[zoom].step;
  const go = (change: Partial<View>) => navigate(`/timeline?${writeView({ ...view, ...change })}`);
  return (
    <div className="timeline">
      <header className="page-head">
        <PageTitle>Timeline</PageTitle>
        <Controls view={view} onGo={go} />
      </header>
      <Failure message={failure} />
      {!isFresh ? (
        !failure && <Empty>Loading…</Empty>
      ) : (
        <>
          <p className="range">
            {rangeName(shown.range)}
            <span className="quiet"> · {stepWords(shown.range.stepMinutes)}</span>
          </p>
          <Notes load={shown.load} range={shown.range} />
          {shown.load.buckets.length === 0 ? (
            <Empty>
              No task has a slot in this range. Add a repeat item to a task, go to another time, or zoom out.
            </Empty>
          ) : (
            <LoadChart {...shown} zoom={zoom} selected={at} onSelect={(picked) => go({ at: picked })} />
          )}
          <Legend buckets={shown.load.buckets} />
          <div className="columns">
            <Busiest load={shown.load} />
            <AsTable {...shown} view={view} />
          </div>
          <Tasks {...shown} view={view} onGo={go} />
          <section aria-labelledby="troubles">
            <h2 id="troubles">Failed and skipped</h2>
            <Troubles range={shown.range} gaps={shown.load.gaps} version={versionOf(shown.load)} />
          </section>
        </>
      )}
    </div>
  );
}

/** Changes whenever the counts do; the lists are then reloaded. */
function versionOf({ buckets }: Load): string {
  return STATES.map(({ field }) => countOf(buckets, field)).join();
}

function stepWords(minutes: number): string {
  if (minutes === 1) return '1 minute';
  if (minutes < 60) return `${minutes} minutes`;
  return minutes === 60 ? '1 hour' : `${minutes / 60} hours`;
}

type Go = (change: Partial<View>) => void;

function Controls({ view, onGo }: { view: View; onGo: Go }) {
  const { zoom, at, from } = view;
  const range = rangeOf(view, Date.now());
  const half = (range.to - range.from) / 2;
  const middle = range.from + half;
  return (
    <div className="controls">
      <fieldset className="zooms">
        <legend className="hidden">Zoom</legend>
        {ZOOM_NAMES.map((name) => (
          <button
            key={name}
            type="button"
            aria-pressed={name === zoom}
            onClick={() =>
              onGo({ zoom: name, from: from === null && at === null ? null : centred(name, at ?? middle), at: null })
            }
          >
            {ZOOMS[name].label}
          </button>
        ))}
      </fieldset>
      <fieldset className="zooms">
        <legend className="hidden">Time</legend>
        <button type="button" onClick={() => onGo({ from: range.from - half, at: null })}>
          Earlier
        </button>
        <button type="button" aria-pressed={from === null} onClick={() => onGo({ from: null, at: null })}>
          Now
        </button>
        <button type="button" onClick={() => onGo({ from: range.from + half, at: null })}>
          Later
        </button>
      </fieldset>
    </div>
  );
}

/** What the chart leaves out, and why. */
function Notes({ load, range }: { load: Load; range: Range }) {
  const { from, plannedUntil, gapsLeftOut } = load;
  return (
    <>
      {Date.parse(from) > range.from && (
        <p className="note">
          Retention has deleted the slots before <Time at={from} />.
        </p>
      )}
      {Date.parse(plannedUntil) < range.to && (
        <p className="note">
          The tasks have too many different schedules to count every future slot. The chart is complete until{' '}
          <Time at={plannedUntil} /> and shows only some of the later slots.
        </p>
      )}
      {gapsLeftOut > 0 && <p className="note">{formatCount(gapsLeftOut)} gaps have too many skipped slots to show.</p>}
    </>
  );
}

function Legend({ buckets }: { buckets: Load['buckets'] }) {
  return (
    <ul className="legend" aria-label="Slots in this range">
      {STATES.map(({ field, name }) => (
        <li key={field}>
          <span className={`swatch ${field}`}>{name}</span> <strong>{formatCount(countOf(buckets, field))}</strong>
        </li>
      ))}
    </ul>
  );
}

function Busiest({ load }: { load: Load }) {
  const [most] = load.busiest;
  // Only minutes that stand out: at least a quarter of the busiest one.
  const minutes = load.busiest.filter(({ count }) => count > 1 && count * 4 >= (most?.count ?? 0));
  return (
    <section aria-labelledby="busiest">
      <h2 id="busiest">Busiest minutes</h2>
      {minutes.length === 0 ? (
        <Empty>No minute has more than one slot.</Empty>
      ) : (
        <ol className="busiest">
          {minutes.map(({ at, count }) => {
            const minute = Date.parse(at);
            return (
              <li key={at}>
                <Link href={`/timeline?${writeView({ zoom: 'hour', from: centred('hour', minute), at: minute })}`}>
                  <time dateTime={at}>{minuteName(minute)}</time>
                </Link>{' '}
                <strong>{formatCount(count)}</strong> slots
              </li>
            );
          })}
        </ol>
      )}
    </section>
  );
}

/** The chart as text: for screen readers and for copying. */
function AsTable({ load, range, view }: Shown & { view: View }) {
  const [isOpen, setOpen] = useState(false);
  return (
    <details className="as-table" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>The chart as a table</summary>
      {isOpen && (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrollable element must be reachable by keyboard
        <section className="scroll tall" tabIndex={0} aria-label="The chart as a table">
          <table>
            <caption className="hidden">Slots by time</caption>
            <thead>
              <tr>
                <th scope="col">Time</th>
                <th scope="col">Total</th>
                {STATES.map(({ field, name }) => (
                  <th key={field} scope="col">
                    {name}
                  </th>
                ))}
                <th scope="col">Max per minute</th>
              </tr>
            </thead>
            <tbody>
              {load.buckets.map((bucket) => (
                <tr key={bucket.at}>
                  <th scope="row">
                    <Link href={`/timeline?${writeView({ ...view, at: Date.parse(bucket.at) })}`}>
                      {stepName(Date.parse(bucket.at), range.stepMinutes, view.zoom)}
                    </Link>
                  </th>
                  <td>{formatCount(totalOf(bucket))}</td>
                  {STATES.map(({ field }) => (
                    <td key={field}>{bucket[field] === 0 ? '' : formatCount(bucket[field])}</td>
                  ))}
                  <td>{formatCount(bucket.busiest.count)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      )}
    </details>
  );
}

/** The tasks of the selected step, or of the whole range if it is short. */
function Tasks({ load, range, view, onGo }: Shown & { view: View; onGo: Go }) {
  const { zoom, at } = view;
  const end = at === null ? 0 : at + range.stepMinutes * MINUTE_MS;
  const bucket = load.buckets.find((each) => Date.parse(each.at) === at);
  const isShort = range.to - range.from <= 360 * MINUTE_MS;
  return (
    <section aria-labelledby="tasks">
      <div className="section-head">
        <h2 id="tasks">{at === null ? 'Tasks' : `Tasks at ${stepName(at, range.stepMinutes, zoom)}`}</h2>
        {at !== null && zoom !== 'hour' && (
          <button
            type="button"
            onClick={() => {
              const nearer = ZOOM_NAMES[ZOOM_NAMES.indexOf(zoom) - 1] ?? 'hour';
              onGo({ zoom: nearer, from: centred(nearer, (at + end) / 2), at: null });
            }}
          >
            Zoom in here
          </button>
        )}
        {at !== null && (
          <button type="button" onClick={() => onGo({ at: null })}>
            {isShort ? 'Show all tasks' : 'Close'}
          </button>
        )}
      </div>
      {at !== null ? (
        <>
          {bucket && <p className="quiet">{inWords(bucket)}</p>}
          <Lanes
            key={at}
            range={{ from: at, to: end, stepMinutes: range.stepMinutes }}
            zoom={zoom}
            now={Date.parse(load.now)}
            isStep
            version={bucket === undefined ? '' : inWords(bucket)}
          />
        </>
      ) : isShort ? (
        <Lanes range={range} zoom={zoom} now={Date.parse(load.now)} isStep={false} version={versionOf(load)} />
      ) : (
        <Empty>Select a bar to see its tasks, or zoom in to 6 hours.</Empty>
      )}
    </section>
  );
}
