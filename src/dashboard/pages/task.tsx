import './task.css';
import { useState } from 'react';
import { rulesInWords } from '../../calendar/rule-words.ts';
import { type LoadedTask, type Task, useTask } from '../live/use-task.ts';
import { DST_NOTES } from '../parts/dst-notes.ts';
import { Durations } from '../parts/durations.tsx';
import { formatDuration } from '../parts/format.ts';
import { Ago, Countdown, Empty, Failure, PageTitle, Time, useNow } from '../parts/parts.tsx';
import { TaskActions } from '../parts/task-actions.tsx';
import { TaskButtons } from '../parts/task-buttons.tsx';
import { History, Runs } from '../parts/task-records.tsx';
import { Why } from '../parts/why.tsx';

export function TaskPage({ id }: { id: string }) {
  const loaded = useTask(id);
  const now = useNow();
  const [failure, setFailure] = useState<string | null>(null);
  const { task, durations, changes } = loaded;
  if (task === undefined) return <Empty>Loading…</Empty>;
  if (task === null) return <Empty>This task does not exist.</Empty>;
  return (
    <>
      <header className="page-head">
        <PageTitle>{task.name}</PageTitle>
        {task.deletedAt && <span className="badge failed">Deleted</span>}
        {!task.active && !task.deletedAt && <span className="badge">Paused</span>}
        {!task.hasRunner && <span className="badge failed">No runner has its class</span>}
        <span className="buttons-inline">
          <TaskButtons task={task} onFailure={setFailure} />
          <TaskActions task={task} />
        </span>
      </header>
      <Failure message={failure} />
      <div className="task">
        <Facts task={task} now={now} />
        <div>
          <NextSlots loaded={loaded} task={task} />
          <Why task={task} />
        </div>
      </div>
      {durations.length > 0 && (
        <section aria-labelledby="durations">
          <h2 id="durations">Run durations</h2>
          <div className="scroll">
            <Durations runs={durations} />
          </div>
        </section>
      )}
      <Runs task={task} changes={changes} now={now} />
      <History task={task} changes={changes} />
    </>
  );
}

function Facts({ task, now }: { task: Task; now: number }) {
  return (
    <dl className="facts">
      <dt>Schedule</dt>
      <dd>
        {rulesInWords(task.repeatItems).map((words) => (
          <div key={words}>{words}</div>
        ))}
        {task.repeatItems.length === 0 && <span className="quiet">only on request</span>}
      </dd>
      <dt>Time zone</dt>
      <dd>{task.timeZone}</dd>
      <dt>Next run</dt>
      <dd>
        <Countdown to={task.nextRunAt} now={now} timeZone={task.timeZone} />
      </dd>
      <dt>Last success</dt>
      <dd>{task.lastRunAt ? <Ago at={task.lastRunAt} now={now} timeZone={task.timeZone} /> : '—'}</dd>
      <dt>Class</dt>
      <dd>{task.className}</dd>
      <dt>Owner</dt>
      <dd>{task.owner.name}</dd>
      <dt>Old API id</dt>
      <dd>{task.legacyId}</dd>
      <dt>Attempts</dt>
      <dd>{attemptsOf(task)}</dd>
      <dt>Overlap</dt>
      <dd>{OVERLAPS[task.overlap](task)}</dd>
      <dt>Catch-up</dt>
      <dd>{catchUpOf(task)}</dd>
      {task.data !== null && task.data !== undefined && (
        <>
          <dt>Data</dt>
          <dd>
            <pre>{JSON.stringify(task.data, null, 2)}</pre>
          </dd>
        </>
      )}
    </dl>
  );
}

const OVERLAPS: Record<Task['overlap'], (task: Task) => string> = {
  SKIP: () => 'a slot is skipped while an earlier run is unfinished',
  QUEUE: ({ queueLimit }) => `a slot waits for the earlier run; at most ${queueLimit} wait`,
  ALLOW: () => 'runs may overlap',
  CANCEL_RUNNING: () => 'a slot cancels the earlier run',
};

const CATCH_UPS: Record<Task['catchUp'], string> = {
  LATEST: 'runs the newest missed slot',
  ALL: 'runs every missed slot',
  NONE: 'runs no missed slot',
};

function catchUpOf({ catchUp, catchUpMaxAgeSeconds, misfireGraceSeconds }: Task): string {
  const bound =
    catchUp === 'NONE' || catchUpMaxAgeSeconds === null
      ? ''
      : `, if at most ${formatDuration(catchUpMaxAgeSeconds)} old`;
  return `${CATCH_UPS[catchUp]}${bound}; a slot counts as missed after ${formatDuration(misfireGraceSeconds)}`;
}

function attemptsOf({ retry, timeoutSeconds }: Task): string {
  const limit = `timeout ${formatDuration(timeoutSeconds)}`;
  if (retry.attempts === 1) return `1, ${limit}`;
  const backoff = retry.backoff === 1 ? '' : `, backoff ×${retry.backoff}`;
  return `up to ${retry.attempts}, ${limit} each, ${formatDuration(retry.delaySeconds)} apart${backoff}`;
}

function NextSlots({ loaded: { slots }, task }: { loaded: LoadedTask; task: Task }) {
  return (
    <section aria-labelledby="next">
      <h2 id="next">Next slots</h2>
      {slots?.slots.length ? (
        <ol className="slots">
          {slots.slots.map(({ at, dstNote }) => (
            <li key={at}>
              <Time at={at} timeZone={task.timeZone} /> {dstNote && <span className="quiet">{DST_NOTES[dstNote]}</span>}
            </li>
          ))}
        </ol>
      ) : (
        <Empty>{whyNone(task, slots?.neverFires)}</Empty>
      )}
    </section>
  );
}

function whyNone({ active, deletedAt, repeatItems }: Task, neverFires: string | null | undefined): string {
  if (deletedAt) return 'A deleted task has no slots.';
  if (!active) return 'A paused task has no slots.';
  if (repeatItems.length === 0) return 'A task without rules runs only on request.';
  return neverFires ?? 'No slot is left.';
}
