// The failed and skipped slots of a range, with their reasons.
import { useState } from 'react';
import { Link } from 'wouter';
import { FailedAndSkippedDocument } from '../operations.ts';
import { formatIn } from '../parts/format.ts';
import { Empty, Failure, StateBadge } from '../parts/parts.tsx';
import { minuteName } from './chart.tsx';
import { formatCount, type Load, SKIP_REASONS } from './states.ts';
import { useLoaded } from './use-loaded.ts';
import type { Range } from './view.ts';

const PAGE = 25;
const MOST = 500;

interface TroublesProps {
  range: Range;
  gaps: Load['gaps'];
  /** A new value reloads the list. */
  version: string;
}

export function Troubles({ range, gaps, version }: TroublesProps) {
  const [first, setFirst] = useState(PAGE);
  const variables = { from: new Date(range.from).toISOString(), to: new Date(range.to).toISOString(), first };
  const { data, failure } = useLoaded(FailedAndSkippedDocument, variables, version);
  const runs = data?.runs.edges.map(({ node }) => node) ?? [];
  return (
    <>
      <Failure message={failure} />
      {runs.length > 0 && (
        <div className="scroll">
          <table className="stack">
            <caption className="hidden">Failed and skipped, newest first</caption>
            <thead>
              <tr>
                <th scope="col">Slot</th>
                <th scope="col">Task</th>
                <th scope="col">State</th>
                <th scope="col">Reason</th>
              </tr>
            </thead>
            <tbody>
              {runs.map(({ id, slot, state, message, skipReason, task }) => (
                <tr key={id}>
                  <td className="slot">
                    <Link href={`/runs/${encodeURIComponent(id)}`}>
                      {slot && <SlotTime at={slot} timeZone={task.timeZone} />}
                    </Link>
                  </td>
                  <th scope="row" className="name">
                    <Link href={`/tasks/${encodeURIComponent(task.id)}`}>{task.name}</Link>
                  </th>
                  <td>
                    <StateBadge state={state} />
                  </td>
                  <td className="message">{message ?? (skipReason && SKIP_REASONS[skipReason])}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {data?.runs.pageInfo.hasNextPage && first < MOST && (
        <button type="button" className="more" onClick={() => setFirst(Math.min(first * 2, MOST))}>
          Show more
        </button>
      )}
      {gaps.length > 0 && <Gaps gaps={gaps} />}
      {data !== null && runs.length === 0 && gaps.length === 0 && <Empty>No run failed and no slot was skipped.</Empty>}
    </>
  );
}

/** Without seconds: slots are whole minutes. */
function SlotTime({ at, timeZone }: { at: string; timeZone: string }) {
  return (
    <time dateTime={at} title={formatIn(at, timeZone)}>
      {minuteName(Date.parse(at))}
    </time>
  );
}

function Gaps({ gaps }: { gaps: Load['gaps'] }) {
  return (
    <>
      <h3>Gaps</h3>
      <ul className="gaps">
        {gaps.map(({ task, from, to, count, skipReason }) => (
          <li key={`${task.id} ${from}`}>
            <Link href={`/tasks/${encodeURIComponent(task.id)}`}>{task.name}</Link>: {formatCount(count)} slots from{' '}
            <SlotTime at={from} timeZone={task.timeZone} /> to <SlotTime at={to} timeZone={task.timeZone} />,{' '}
            {SKIP_REASONS[skipReason]}
          </li>
        ))}
      </ul>
    </>
  );
}
