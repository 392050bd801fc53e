// Task classes whose code the test steers.
import { z } from 'zod';
import { defineTaskClass, type TaskContext } from '../../src/task-classes/task-class.ts';

/** An attempt that waits until the test lets it end. */
export interface HeldAttempt {
  context: TaskContext;
  succeed(message: string): void;
  fail(message: string): void;
}

/** A class whose attempts wait for the test; `next()` is the next one to begin. */
export function heldClass(name = '\\test\\Held') {
  const begun: HeldAttempt[] = [];
  const waiting: ((attempt: HeldAttempt) => void)[] = [];
  const taskClass = defineTaskClass({
    name,
    title: 'Held',
    description: 'Waits for the test.',
    data: z.looseObject({ ignoreSignal: z.boolean().optional() }),
    run(context) {
      const ended = Promise.withResolvers<string>();
      if (!context.data.ignoreSignal) {
        context.signal.addEventListener('abort', () => ended.reject(new Error(`stopped: ${context.signal.reason}`)));
      }
      const attempt: HeldAttempt = {
        context,
        succeed: ended.resolve,
        fail: (message) => ended.reject(new Error(message)),
      };
      const taker = waiting.shift();
      if (taker === undefined) begun.push(attempt);
      else taker(attempt);
      return ended.promise;
    },
  });
  const next = () => {
    const attempt = begun.shift();
    return attempt ? Promise.resolve(attempt) : new Promise<HeldAttempt>((resolve) => waiting.push(resolve));
  };
  return { taskClass, next, begunCount: () => begun.length };
}
