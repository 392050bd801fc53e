import { type FormEvent, useEffect, useState } from 'react';
import { Link } from 'wouter';
import { useSession } from '../context.ts';
import { formatDuration } from '../format.ts';
import {
  type DstNote,
  ExplainDocument,
  type ExplainQuery,
  NextSlotsDocument,
  type NextSlotsQuery,
  OneTaskDocument,
  type OneTaskQuery,
} from '../operations.ts';
import { Countdown, Empty, Failure, StateBadge, Time, useNow } from '../parts.tsx';
import { rulesInWords } from '../rule-words.ts';
import { TaskActions } from '../task-actions.tsx';

type Task = NonNullable<OneTaskQuery['task']>;
type Explanation = ExplainQuery['explainSlot'];

const RELOAD_MS = 5_000;
const DST_NOTES: Record<DstNote, string> = {
  SKIPPED_WALL_TIME: 'the clock skips that time; it fires right after',
  REPEATED_WALL_TIME: 'that time occurs twice; it fires the first time',
};

/** A task as it is, looked at again every few seconds, and its next slots. */
function useTask(id: string) {
  const { client } = useSession();
  const [task, setTask] = useState<Task | null | undefined>(undefined);
  const [slots, setSlots] = useState<NextSlotsQuery['previewSchedule'] | null>(null);
  useEffect(() => {
    let isWanted = true;
    let timer: ReturnType<typeof setTimeout>;
    const load = async () => {
      const { data } = await client.query(OneTaskDocument, { id }).toPromise();
      if (data !== undefined && isWanted) {
        setTask(data.task ?? null);
        const { repeatItems, timeZone, active } = data.task ?? {};
        if (repeatItems?.length && active) {
          const preview = await client.query(NextSlotsDocument, { input: { repeatItems, timeZone } }).toPromise();
          if (isWanted) setSlots(preview.data?.previewSchedule ?? null);
        } else if (isWanted) setSlots(null);
      }
      if (isWanted) timer = setTimeout(() => void load(), RELOAD_MS);
    };
    void load();
    return () => {
      isWanted = false;
      clearTimeout(timer);
    };
  }, [client, id]);
  return { task, slots };
}

export function TaskPage({ id }: { id: string }) {
  const { task, slots } = useTask(id);
  const now = useNow();
  if (task === undefined) return <Empty>Loading…</Empty>;
  if (task === null) return <Empty>There is no such task.</Empty>;
  return (
    <>
      <header className="page-head">
        <h1>{task.name}</h1>
        {task.deletedAt && <span className="badge failed">Deleted</span>}
        {!task.active && <span className="badge">Paused</span>}
        {!task.hasRunner && <span className="badge failed">no runner has its class</span>}
        <TaskActions task={task} />
      </header>
      <dl className="facts">
        <dt>When</dt>
        <dd>
          {rulesInWords(task.repeatItems).map((words) => (
            <div key={words}>{words}</div>
          ))}
          {task.repeatItems.length === 0 && <span className="quiet">on request alone</span>}
        </dd>
        <dt>On the clock of</dt>
        <dd>{task.timeZone}</dd>
        <dt>Next run</dt>
        <dd>
          <Countdown to={task.nextRunAt} now={now} timeZone={task.timeZone} />
        </dd>
        <dt>Last success</dt>
        <dd>
          <Time at={task.lastRunAt} timeZone={task.timeZone} />
        </dd>
        <dt>Class</dt>
        <dd>{task.className}</dd>
        <dt>Owner</dt>
        <dd>{task.owner.name}</dd>
        <dt>Policy</dt>
        <dd>{policyOf(task)}</dd>
        {task.data !== null && task.data !== undefined && (
          <>
            <dt>Data</dt>
            <dd>
              <pre>{JSON.stringify(task.data, null, 2)}</pre>
            </dd>
          </>
        )}
      </dl>
      <section aria-labelledby="next">
        <h2 id="next">Next slots</h2>
        {slots?.slots.length ? (
          <ol className="slots">
            {slots.slots.map(({ at, dstNote }) => (
              <li key={at}>
                <Time at={at} timeZone={task.timeZone} />{' '}
                {dstNote && <span className="quiet">{DST_NOTES[dstNote]}</span>}
              </li>
            ))}
          </ol>
        ) : (
          <Empty>{task.active ? (slots?.neverFires ?? 'No slot is to come.') : 'A paused task expects no slot.'}</Empty>
        )}
      </section>
      <Why task={task} />
      <Runs task={task} />
    </>
  );
}

function policyOf({ overlap, catchUp, retry, timeoutSeconds }: Task): string {
  const tries = retry.attempts === 1 ? 'one try' : `${retry.attempts} tries, ${retry.delaySeconds} s apart`;
  return `${tries}, ${formatDuration(timeoutSeconds)} each; overlap ${overlap.toLowerCase()}, catch-up ${catchUp.toLowerCase()}`;
}

/** Why it ran, did not run, or was not due, at any moment that whoever asks picks. */
function Why({ task }: { task: Task }) {
  const { client } = useSession();
  const [told, setTold] = useState<Explanation | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  const ask = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const picked = new Date(String(new FormData(event.currentTarget).get('at')));
    if (Number.isNaN(picked.getTime())) return setFailure('Pick a date and a time.');
    const { data, error } = await client
      .query(ExplainDocument, { task: task.id, at: picked.toISOString() })
      .toPromise();
    setFailure(error?.message ?? null);
    setTold(data?.explainSlot ?? null);
  };
  return (
    <section aria-labelledby="why">
      <h2 id="why">Why did it run, or not?</h2>
      <form className="filters" onSubmit={(event) => void ask(event)}>
        <label>
          At
          <input type="datetime-local" name="at" required />
        </label>
        <button type="submit">Explain</button>
      </form>
      <Failure message={failure} />
      {told !== null && (
        <div className="outcome" role="status">
          <strong>{told.verdict.toLowerCase().replaceAll('_', ' ')}</strong> {told.because}{' '}
          <span className="quiet">{told.localTime}</span>{' '}
          {told.run && <Link href={`/runs/${encodeURIComponent(told.run.id)}`}>Its run</Link>}
        </div>
      )}
    </section>
  );
}

function Runs({ task }: { task: Task }) {
  const runs = task.runs.edges.map(({ node }) => node);
  return (
    <section aria-labelledby="runs">
      <h2 id="runs">Runs</h2>
      {runs.length === 0 ? (
        <Empty>It has not run yet.</Empty>
      ) : (
        <div className="scroll">
          <table>
            <caption className="hidden">Runs, the newest first</caption>
            <thead>
              <tr>
                <th scope="col">Recorded</th>
                <th scope="col">State</th>
                <th scope="col">Slot</th>
                <th scope="col">Took</th>
                <th scope="col">Message</th>
              </tr>
            </thead>
            <tbody>
              {runs.map((run) => (
                <tr key={run.id}>
                  <td>
                    <Link href={`/runs/${encodeURIComponent(run.id)}`}>
                      <Time at={run.queuedAt} timeZone={task.timeZone} />
                    </Link>
                  </td>
                  <td>
                    <StateBadge state={run.state} />
                  </td>
                  <td>{run.slot ? <Time at={run.slot} timeZone={task.timeZone} /> : run.trigger.toLowerCase()}</td>
                  <td>{took(run.startedAt, run.finishedAt)}</td>
                  <td className="message">{run.message}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

function took(startedAt: string | null | undefined, finishedAt: string | null | undefined): string {
  if (!startedAt || !finishedAt) return '—';
  const milliseconds = Date.parse(finishedAt) - Date.parse(startedAt);
  return milliseconds < 1_000 ? `${milliseconds} ms` : formatDuration(milliseconds / 1_000);
}
