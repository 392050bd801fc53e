import './now.css';
import type { ReactNode } from 'react';
import { Link } from 'wouter';
import { useLiveRuns } from '../live/live-runs.ts';
import type { LiveRun } from '../live/run-snapshot.ts';
import { type Status, useStatus } from '../live/status.ts';
import { formatDuration, formatSeconds } from '../parts/format.ts';
import { MINUTE_MS } from '../parts/intervals.ts';
import { Ago, Countdown, Empty, PageTitle, ProgressBar, StateBadge, useNow } from '../parts/parts.tsx';

/** Rows of a list at most; the count beside its title includes the others. */
const SHOWN = 50;

/** What is running, waiting, next, ended and failed at this moment. */
export function NowPage() {
  const { runs, isConnected, behindSeconds } = useLiveRuns();
  const status = useStatus(runs);
  const now = useNow();
  const open = [...(runs?.open.values() ?? [])];
  const running = open.filter(({ state }) => state === 'RUNNING');
  const queued = open.filter(({ state }) => state === 'QUEUED');
  return (
    <>
      <header className="page-head">
        <PageTitle>Now</PageTitle>
        <StreamSign isConnected={isConnected} behindSeconds={behindSeconds} />
      </header>
      {status?.runners.length === 0 && (
        <p className="failure" role="alert">
          No runner is alive. No run starts until one is.
        </p>
      )}
      {status && <Figures status={status} now={now} />}
      <div className="now">
        <div>
          <Part title="Running" count={status?.queue.running ?? running.length}>
            {running.length === 0 ? (
              <Empty>
                {runs === null
                  ? 'Loading…'
                  : 'No run is running. Run a task from the Tasks page, or wait for its next slot.'}
              </Empty>
            ) : (
              <ul className="cards">
                {running.slice(0, SHOWN).map((run) => (
                  <RunningCard key={run.id} run={run} now={now} />
                ))}
              </ul>
            )}
          </Part>
          <Part title="Waiting" count={status ? waiting(status) : queued.length}>
            {queued.length === 0 ? (
              <Empty>No run is waiting.</Empty>
            ) : (
              <RunTable runs={queued.slice(0, SHOWN)} caption="Waiting" now={now} />
            )}
          </Part>
          <Part title="Ended">
            {runs?.ended.length ? (
              <RunTable runs={runs.ended} caption="Ended, newest first" now={now} />
            ) : (
              <Empty>No run has ended yet.</Empty>
            )}
          </Part>
        </div>
        <div>
          <Part title="Failed and skipped">
            {runs?.wrong.length ? (
              <ul className="list">
                {runs.wrong.map((run) => (
                  <li key={run.id}>
                    <Link href={`/runs/${encodeURIComponent(run.id)}`}>{run.taskName}</Link>
                    <StateBadge state={run.state} />
                    <span className="quiet">
                      <Ago at={run.since} now={now} />
                    </span>
                    {run.message && <span className="said">{run.message}</span>}
                  </li>
                ))}
              </ul>
            ) : (
              <Empty>No run failed and no slot was skipped.</Empty>
            )}
          </Part>
          <Part title="Next">
            <Next status={status} now={now} />
          </Part>
          <Part title="Runners">
            <Runners status={status} now={now} />
          </Part>
        </div>
      </div>
    </>
  );
}

function Part({ title, count, children }: { title: string; count?: number; children: ReactNode }) {
  const id = `now-${title.toLowerCase().replaceAll(' ', '-')}`;
  return (
    <section aria-labelledby={id}>
      <h2 id={id}>
        {title} {count !== undefined && <span className="count">{count.toLocaleString()}</span>}
      </h2>
      {children}
    </section>
  );
}

function waiting({ queue }: Status): number {
  return queue.ready + queue.delayed + queue.behind;
}

function Figures({ status, now }: { status: Status; now: number }) {
  const { queue, lateness, runners } = status;
  const places = runners.reduce((sum, runner) => sum + runner.places, 0);
  const oldest = queue.readySince ? `, oldest for ${formatDuration((now - Date.parse(queue.readySince)) / 1_000)}` : '';
  return (
    <dl className="figures">
      <Figure name="Places taken" value={`${queue.running.toLocaleString()} of ${places.toLocaleString()}`}>
        {runners.length === 1 ? 'on 1 runner' : `on ${runners.length} runners`}
      </Figure>
      <Figure name="Waiting" value={waiting(status).toLocaleString()}>
        {waiting(status) === 0
          ? 'no run is waiting'
          : [
              queue.ready > 0 && `${queue.ready.toLocaleString()} for a place${oldest}`,
              queue.delayed > 0 && `${queue.delayed.toLocaleString()} for the next attempt`,
              queue.behind > 0 && `${queue.behind.toLocaleString()} for an earlier run of the task`,
            ]
              .filter((part) => part !== false)
              .join('; ')}
      </Figure>
      <Figure name="Lateness p50" value={formatSeconds(lateness.p50Seconds)}>
        {lateness.slots === 0
          ? 'no slots in the last hour'
          : `of ${lateness.slots.toLocaleString()} slots in the last hour`}
      </Figure>
      <Figure name="Lateness p99" value={formatSeconds(lateness.p99Seconds)}>
        {lateness.slots > 0 && `max ${formatSeconds(lateness.maxSeconds)}`}
      </Figure>
    </dl>
  );
}

function Figure({ name, value, children }: { name: string; value: string; children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd className="value">{value}</dd>
      <dd className="quiet">{children}</dd>
    </div>
  );
}

function Next({ status, now }: { status: Status | null; now: number }) {
  const upcoming = status?.upcoming?.filter(({ at }) => Date.parse(at) > now - MINUTE_MS) ?? [];
  if (upcoming.length === 0) return <Empty>{status === null ? 'Loading…' : 'No slot within the next month.'}</Empty>;
  return (
    <ul className="list">
      {upcoming.map(({ at, task }) => (
        <li key={`${task.id} ${at}`}>
          <Link href={`/tasks/${encodeURIComponent(task.id)}`}>{task.name}</Link>
          <span className="quiet">
            <Countdown to={at} now={now} timeZone={task.timeZone} />
          </span>
        </li>
      ))}
    </ul>
  );
}

function Runners({ status, now }: { status: Status | null; now: number }) {
  if (!status?.runners.length) return <Empty>{status === null ? 'Loading…' : 'No runner is alive.'}</Empty>;
  return (
    <ul className="list">
      {status.runners.map(({ id, host, pid, startedAt, places, running, classNames }) => (
        <li key={id}>
          <span className="title" title={classNames.join('\n')}>
            {host} <span className="quiet">process {pid}</span>
          </span>
          <span className="quiet">
            started <Ago at={startedAt} now={now} />
          </span>
          <span className="places">
            <meter aria-label={`Places taken on ${host} ${pid}`} value={running} max={Math.max(places, 1)} /> {running}{' '}
            of {places}
          </span>
        </li>
      ))}
    </ul>
  );
}

/** Shows whether the data on the screen is live. */
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

function RunTable({ runs, caption, now }: { runs: readonly LiveRun[]; caption: string; now: number }) {
  return (
    <div className="scroll">
      <table className="stack">
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
              <td className="name">
                <Link href={`/runs/${encodeURIComponent(run.id)}`}>{run.taskName}</Link>
              </td>
              <td>
                <StateBadge state={run.state} />
              </td>
              <td className="when">
                <Ago at={run.since} now={now} />
              </td>
              <td className="message">{run.message}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
