import { expect, test } from 'vitest';
import type { RunEvent } from '../../src/client/index.ts';
import { withEvents } from '../../src/dashboard/live/run-changes.ts';
import type { LiveRuns } from '../../src/dashboard/live/run-snapshot.ts';

const NOTHING: LiveRuns = { open: new Map(), ended: [], wrong: [], hasMore: { running: false, queued: false } };

function event(id: string, type: RunEvent['type'], state: RunEvent['state'], rest: Partial<RunEvent> = {}): RunEvent {
  const at = '2026-03-01T08:30:00.000Z';
  const task = { id: 'task', name: 'Task' };
  return {
    cursor: '',
    at,
    type,
    state,
    message: null,
    data: null,
    attempt: 1,
    task,
    run: { id, progress: null },
    ...rest,
  };
}

test('a run moves from the open runs to the ended ones, and to the wrong ones only if it failed', () => {
  const begun = withEvents(NOTHING, [event('a', 'QUEUED', 'QUEUED'), event('b', 'STARTED', 'RUNNING')]);
  expect([...begun.open.keys()]).toEqual(['a', 'b']);
  const ended = withEvents(begun, [event('b', 'SUCCEEDED', 'SUCCEEDED'), event('a', 'FAILED', 'FAILED')]);
  expect(ended.open.size).toBe(0);
  expect(ended.ended.map(({ id }) => id)).toEqual(['a', 'b']);
  expect(ended.wrong.map(({ id }) => id)).toEqual(['a']);
  expect([...begun.open.keys()], 'the given runs are not changed').toEqual(['a', 'b']);
});

test('a run that is retried by hand leaves the ended and the wrong ones', () => {
  const failed = withEvents(NOTHING, [event('a', 'FAILED', 'FAILED')]);
  const again = withEvents(failed, [event('a', 'QUEUED', 'QUEUED')]);
  expect(again).toMatchObject({ ended: [], wrong: [] });
  expect([...again.open.keys()]).toEqual(['a']);
});

test('log lines and progress keep the message and the time of the state', () => {
  const started = event('a', 'STARTED', 'RUNNING', { message: 'started' });
  const later = { at: '2026-03-01T08:31:00.000Z' };
  const runs = withEvents(NOTHING, [
    started,
    event('a', 'PROGRESS', 'RUNNING', { ...later, data: { progress: 0.5 } }),
    event('a', 'LOG', 'RUNNING', { ...later, message: 'a line' }),
  ]);
  expect(runs.open.get('a')).toMatchObject({
    since: started.at,
    message: 'started',
    progress: 0.5,
    lastLine: 'a line',
  });
});

test('keeps 25 ended and 10 wrong runs, and 500 open ones with a note that more are queued', () => {
  const ended = Array.from({ length: 30 }, (_, index) => event(`ended ${index}`, 'FAILED', 'FAILED'));
  const queued = Array.from({ length: 501 }, (_, index) => event(`queued ${index}`, 'QUEUED', 'QUEUED'));
  const runs = withEvents(NOTHING, [...ended, ...queued]);
  expect(runs.ended).toHaveLength(25);
  expect(runs.wrong).toHaveLength(10);
  expect(runs.ended[0]?.id).toBe('ended 29');
  expect(runs.open.size).toBe(500);
  expect(runs.hasMore).toEqual({ running: false, queued: true });
});

test('events of a run that retention has removed change nothing', () => {
  expect(withEvents(NOTHING, [event('a', 'FAILED', 'FAILED', { run: null })])).toEqual(NOTHING);
});
