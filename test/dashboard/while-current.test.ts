import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { pause } from '../../src/dashboard/live/pause.ts';
import { whileCurrent } from '../../src/dashboard/live/while-current.ts';

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

test('an answer that arrives after the clean-up is not shown', async () => {
  const shown: string[] = [];
  const show = (answer: string, milliseconds: number) =>
    whileCurrent(async (signal) => {
      await pause(milliseconds);
      if (!signal.aborted) shown.push(answer);
    });
  const replace = show('old', 200);
  replace();
  show('new', 100);
  await vi.advanceTimersByTimeAsync(300);
  expect(shown).toEqual(['new']);
});

test('a pause ends after its time', async () => {
  const onEnd = vi.fn();
  void pause(1_000).then(onEnd);
  await vi.advanceTimersByTimeAsync(999);
  expect(onEnd).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(1);
  expect(onEnd).toHaveBeenCalledOnce();
});

test('a pause ends at once when its signal is aborted, before or meanwhile, and leaves no timer', async () => {
  const controller = new AbortController();
  const meanwhile = pause(1_000, controller.signal);
  controller.abort();
  await meanwhile;
  await pause(1_000, controller.signal);
  expect(vi.getTimerCount()).toBe(0);
});
