import { Link } from 'wouter';
import { formatDuration } from '../format.ts';
import { type LiveRun, useLiveRuns } from '../live-runs.ts';
import { Empty, ProgressBar, StateBadge, Time, useNow } from '../parts.tsx';

/** What runs at this moment, what waits and what has ended. */
export function NowPage() {
  const { runs, isConnected, behindSeconds } = useLiveRuns();
  const now = useNow();
  const open = [...(runs?.open.values() ?? [])];
  const running = open.filter(({ state }) => state === 'RUNNING');
  const queued = open.filter(({ state }) => state === 'QUEUED');
  return (
    <>
      <header className="page-head">
        <h1>Now</h1>
        <StreamSign isConnected={isConnected} behindSeconds={behindSeconds} />
      </header>
      <section aria-labelledby="running">
        <h2 id="running">Running {runs && <Count of={running.length} hasMore={runs.hasMore.running} />}</h2>
        {running.length === 0 ? (
          <Empty>
            {runs === null ? 'Loading…' : 'Nothing runs. Start a task from the list of tasks, or wait for its slot.'}
          </Empty>
        ) : (
          <ul className="cards">
            {running.map((run) => (
              <RunningCard key={run.id} run={run} now={now} />
            ))}
          </ul>
        )}
      </section>
      <section aria-labelledby="queued">
        <h2 id="queued">Waiting {runs && <Count of={queued.length} hasMore={runs.hasMore.queued} />}</h2>
        {queued.length === 0 ? <Empty>No run waits.</Empty> : <RunTable runs={queued.slice(0, 50)} caption="Waiting" />}
      </section>
      <section aria-labelledby="ended">
        <h2 id="ended">Ended</h2>
        {runs?.ended.length ? (
          <RunTable runs={runs.ended} caption="Ended, the newest first" />
        ) : (
          <Empty>No run has ended yet.</Empty>
        )}
      </section>
    </>
  );
}

function Count({ of, hasMore }: { of: number; hasMore: boolean }) {
  return <span className="count">{hasMore ? `more than ${of}` : of}</span>;
}

/** Whether what is on the screen is fresh. */
export function StreamSign({ isConnected, behindSeconds }: { isConnected: boolean; behindSeconds: number }) {
  const text = !isConnected
    ? 'Reconnecting…'
    : behindSeconds > 0
      ? `${formatDuration(behindSeconds)} behind, catching up`
      : 'Live';
  return (
    <p className={`sign ${isConnected && behindSeconds === 0 ? 'fresh' : 'stale'}`} role="status">
      {text}
    </p>
  );
}

function RunningCard({ run, now }: { run: LiveRun; now: number }) {
  return (
    <li className="card">
      <Link href={`/runs/${encodeURIComponent(run.id)}`} className="title">
        {run.taskName}
      </Link>
      <ProgressBar value={run.progress} label={`Progress of ${run.taskName}`} />
      <p className="quiet">
        for {formatDuration((now - Date.parse(run.since)) / 1_000)}
        {run.attempt > 1 && `, attempt ${run.attempt}`}
        {run.progress !== null && `, ${Math.round(run.progress * 100)} %`}
      </p>
      <p className="line">{run.lastLine}</p>
    </li>
  );
}

function RunTable({ runs, caption }: { runs: readonly LiveRun[]; caption: string }) {
  return (
    <div className="scroll">
      <table>
        <caption className="hidden">{caption}</caption>
        <thead>
          <tr>
            <th scope="col">Task</th>
            <th scope="col">State</th>
            <th scope="col">Since</th>
            <th scope="col">Message</th>
          </tr>
        </thead>
        <tbody>
          {runs.map((run) => (
            <tr key={run.id}>
              <td>
                <Link href={`/runs/${encodeURIComponent(run.id)}`}>{run.taskName}</Link>
              </td>
              <td>
                <StateBadge state={run.state} />
              </td>
              <td>
                <Time at={run.since} />
              </td>
              <td className="message">{run.message}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
