// The parts of the runner, one call each, so that a test says in which order and on which connections they happen.

import type { EntityManager } from '@mikro-orm/postgresql';
import { pino } from 'pino';
import { inTransaction } from '../../src/database/transaction.ts';
import { Task, User } from '../../src/entities/index.ts';
import { Fault } from '../../src/lib/faults.ts';
import type { Attempt, Outcome } from '../../src/runner/attempt.ts';
import { ExclusiveClasses } from '../../src/runner/exclusive-classes.ts';
import { settleAttempts } from '../../src/runner/settle-attempts.ts';
import { takeAttempts, takeIn } from '../../src/runner/take-attempts.ts';
import { UnsupportedClasses } from '../../src/runner/unsupported-classes.ts';
import type { Jobs } from '../../src/scheduling/jobs.ts';
import { computeFollowing, fireDue, lockAndSettle } from '../../src/scheduling/planner.ts';
import { cancelRun, requestRun } from '../../src/scheduling/requests.ts';
import { ScheduleFaults } from '../../src/scheduling/schedule-faults.ts';

const log = pino({ level: 'silent' });
const nothingLogged = { events: [], progress: null };

export type Engine = ReturnType<typeof engineOf>;

/** The class of the tasks that `addTasks` adds. */
export const OWN_CLASSES = ['class'];

export function engineOf(jobs: Jobs, exclusiveNames: readonly string[] = []) {
  const exclusive = new ExclusiveClasses(exclusiveNames);
  const unsupported = new UnsupportedClasses((name) => OWN_CLASSES.includes(name));
  const taker = { runnerId: null, unsupported, exclusive };
  const fire = (by: EntityManager, faults = new ScheduleFaults(log)) =>
    fireDue(by, jobs, { ownClasses: OWN_CLASSES, faults });
  const take = (by: EntityManager, count: number) => takeAttempts(by, jobs, count, taker);

  /** Within a transaction of the caller's, as far as a process gets that is frozen there. */
  const takeUncommitted = async (by: EntityManager, count: number) => (await takeIn(by, jobs, count, taker)).attempts;

  async function fireAll(by: EntityManager, faults?: ScheduleFaults): Promise<void> {
    while ((await fire(by, faults)) > 0);
  }

  /** Returns the attempts that were no longer ours. */
  async function end(by: EntityManager, attempts: readonly Attempt[], state: Outcome['state'] = 'SUCCEEDED') {
    const outcome = { state, message: 'ended by the test' };
    const ended = attempts.map((attempt) => ({ attempt, outcome, log: nothingLogged }));
    return (await settleAttempts(by, jobs, ended)).lost;
  }

  /** Asks for a run as the mutations do; returns null where as many wait as may. */
  function request(by: EntityManager, taskId: number): Promise<number | null> {
    const asked = inTransaction(by, async (transaction) => {
      await lockAndSettle(transaction, jobs, taskId);
      const task = await transaction.findOneOrFail(Task, taskId);
      return requestRun(transaction, jobs, task, {
        trigger: 'MANUAL',
        actor: await transaction.findOneOrFail(User, 1),
      });
    });
    return refusable(asked);
  }

  function cancel(by: EntityManager, taskId: number, runId: number): Promise<unknown> {
    const asked = inTransaction(by, async (transaction) => {
      await lockAndSettle(transaction, jobs, taskId);
      const task = await transaction.findOneOrFail(Task, taskId);
      await cancelRun(transaction, jobs, task, runId, await transaction.findOneOrFail(User, 1));
    });
    return refusable(asked);
  }

  async function runEverything(by: EntityManager): Promise<void> {
    for (;;) {
      const { attempts, more } = await take(by, 50);
      if (attempts.length === 0 && !more) return;
      if (attempts.length > 0) await end(by, attempts);
    }
  }

  /** Computes the slots after the next ones, as the planner does between minutes. */
  async function following(by: EntityManager): Promise<void> {
    while ((await computeFollowing(by.fork(), new ScheduleFaults(log))) > 0);
  }

  return { fire, fireAll, following, take, takeUncommitted, end, request, cancel, runEverything };
}

function refusable<Result>(work: Promise<Result>): Promise<Result | null> {
  return work.catch((error: unknown) => {
    if (error instanceof Fault && error.code === 'CONFLICT') return null;
    throw error;
  });
}
