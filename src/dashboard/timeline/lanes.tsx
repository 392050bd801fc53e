// The tasks that have slots in a range: as lanes on the time axis or, for one step, as a table with the slots as text.
import { useState } from 'react';
import { Link } from 'wouter';
import { ExplainDocument, type ExplainQuery, SlotLanesDocument, type SlotLanesQuery } from '../operations.ts';
import { Empty, Failure } from '../parts/parts.tsx';
import { useSession } from '../session/context.ts';
import { NAMES, SKIP_REASONS } from './states.ts';
import { useLoaded } from './use-loaded.ts';
import { type Range, ticksOf, type Zoom } from './view.ts';

type Lane = SlotLanesQuery['slotLanes']['edges'][number]['node'];
type Slot = Lane['slots'][number];

const PAGE = 25;
const MOST = 200;
/** A lane with more marks than this draws them narrow. */
const DENSE = 70;
/** Slots of one task that the table lists; the rest are counted. */
const WRITTEN = 20;

interface LanesProps {
  range: Range;
  zoom: Zoom;
  now: number;
  /** Whether the range is one step: then the slots are listed as text. */
  isStep: boolean;
  /** A new value reloads the list. */
  version: string;
}

export function Lanes({ range, zoom, now, isStep, version }: LanesProps) {
  const [first, setFirst] = useState(PAGE);
  const variables = { from: new Date(range.from).toISOString(), to: new Date(range.to).toISOString(), first };
  const { data, failure } = useLoaded(SlotLanesDocument, variables, version);
  const lanes = data?.slotLanes.edges.map(({ node }) => node);
  const hasMore = data?.slotLanes.pageInfo.hasNextPage ?? false;
  return (
    <>
      <Failure message={failure} />
      {lanes === undefined ? (
        !failure && <Empty>Loading…</Empty>
      ) : lanes.length === 0 ? (
        <Empty>No task has a slot here.</Empty>
      ) : isStep ? (
        <StepTable lanes={lanes} />
      ) : (
        <LaneTable lanes={lanes} range={range} zoom={zoom} now={now} />
      )}
      {hasMore && first < MOST && (
        <button type="button" className="more" onClick={() => setFirst(Math.min(first * 2, MOST))}>
          Show more tasks
        </button>
      )}
      {hasMore && first >= MOST && (
        <p className="quiet">Only the first {MOST} tasks are shown. Select a bar to see the tasks of that time.</p>
      )}
    </>
  );
}

const taskPath = (id: string) => `/tasks/${encodeURIComponent(id)}`;
const runPath = (id: string) => `/runs/${encodeURIComponent(id)}`;

type LaneTableProps = Pick<LanesProps, 'range' | 'zoom' | 'now'> & { lanes: readonly Lane[] };

/** Visual only: screen readers get the count of each state, and can select a step of the chart to list its slots. */
function LaneTable({ lanes, range, zoom, now }: LaneTableProps) {
  const percent = (at: number) => ((at - range.from) / (range.to - range.from)) * 100;
  // A mark is centred on its minute.
  const half = percent(range.from + 30_000);
  return (
    <div className="scroll">
      <table className="lanes">
        <caption className="hidden">Tasks and their slots</caption>
        <tbody>
          {lanes.map(({ task, slots }) => (
            <tr key={task.id}>
              <th scope="row" title={task.name}>
                <Link href={taskPath(task.id)}>{task.name}</Link>
              </th>
              <td>
                <span className="hidden">{slotsInWords(slots)}</span>
                <div className={slots.length > DENSE ? 'lane dense' : 'lane'} aria-hidden="true">
                  {ticksOf(zoom, range).map((at) => (
                    <i key={at} className="tick" style={{ left: `${percent(at)}%` }} />
                  ))}
                  {now > range.from && now < range.to && (
                    <i className="tick now" style={{ left: `${percent(now)}%` }} />
                  )}
                  {slots.map((slot) => {
                    const { at, state, run } = slot;
                    const className = `mark ${state.toLowerCase()}`;
                    const place = { left: `${percent(Date.parse(at)) + half}%` };
                    return run ? (
                      <Link
                        key={at}
                        href={runPath(run.id)}
                        className={className}
                        style={place}
                        title={slotName(slot)}
                        tabIndex={-1}
                      />
                    ) : (
                      <i key={at} className={className} style={place} title={slotName(slot)} />
                    );
                  })}
                </div>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });

function slotName({ at, state, skipReason }: Slot): string {
  const reason = skipReason ? `: ${SKIP_REASONS[skipReason]}` : '';
  return `${CLOCK.format(Date.parse(at))} ${NAMES[state]}${reason}`;
}

function slotsInWords(slots: readonly Slot[]): string {
  const counts = Map.groupBy(slots, ({ state }) => state);
  return [...counts].map(([state, own]) => `${own.length} ${NAMES[state].toLowerCase()}`).join(', ');
}

function StepTable({ lanes }: { lanes: readonly Lane[] }) {
  return (
    <div className="scroll">
      <table>
        <caption className="hidden">Tasks and their slots</caption>
        <thead>
          <tr>
            <th scope="col">Task</th>
            <th scope="col">Slots</th>
          </tr>
        </thead>
        <tbody>
          {lanes.map((lane) => (
            <StepRow key={lane.task.id} lane={lane} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

type Explanation = ExplainQuery['explainSlot'];

function StepRow({ lane: { task, slots } }: { lane: Lane }) {
  const { client } = useSession();
  const [explanation, setExplanation] = useState<Explanation | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  const explain = async (at: string) => {
    const { data, error } = await client.query(ExplainDocument, { task: task.id, at }).toPromise();
    setFailure(error?.message ?? null);
    setExplanation(data?.explainSlot ?? null);
  };
  return (
    <tr>
      <th scope="row">
        <Link href={taskPath(task.id)}>{task.name}</Link>
      </th>
      <td>
        <ul className="chips">
          {slots.slice(0, WRITTEN).map((slot) => (
            <li key={slot.at}>
              <span className={`badge ${slot.state.toLowerCase()}`}>
                {slot.run ? <Link href={runPath(slot.run.id)}>{slotName(slot)}</Link> : slotName(slot)}
              </span>{' '}
              <button type="button" className="why" onClick={() => void explain(slot.at)}>
                Why?
                <span className="hidden">
                  {' '}
                  {task.name} {slotName(slot)}
                </span>
              </button>
            </li>
          ))}
          {slots.length > WRITTEN && <li className="quiet">and {slots.length - WRITTEN} more</li>}
        </ul>
        <Failure message={failure} />
        {explanation && (
          <p className="explanation" role="status">
            {explanation.because} <span className="quiet">{explanation.localTime}</span>
          </p>
        )}
      </td>
    </tr>
  );
}
