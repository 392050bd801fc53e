// Turns the due slots of locked tasks into runs, jobs and events, and moves the tasks' pointers.
import { randomUUID } from 'node:crypto';
import type { EntityManager } from '@mikro-orm/postgresql';
import { type Kysely, sql } from 'kysely';
import { compileSchedule, type RepeatRule } from '../calendar/schedule.ts';
import type { RunState, SkipReason } from '../entities/run.ts';
import { appendEvents, type NewEvent } from '../events/log.ts';
import { type DuePlan, type Gap, planDueSlots, withoutFiring } from './catch-up.ts';
import type { DueTask } from './due-task.ts';
import { fireOnTime, isOnTime, onRecord, rescheduled } from './fire-on-time.ts';
import type { Jobs } from './jobs.ts';
import { cancelOpenRuns, countOpenRuns, decideOverlap, NONE_OPEN, type OpenRuns } from './overlap.ts';
import { releaseWaiting } from './release.ts';
import type { ScheduleFaults } from './schedule-faults.ts';
import { SKIP_MESSAGES } from './skip-messages.ts';

interface NewRun {
  taskId: number;
  slot: Date;
  state: RunState;
  skipReason: SkipReason | null;
  message: string | null;
  jobId: string | null;
}

/**
 * At this number of planned slots the rest is left to the next transaction: one must not hold locks and memory for
 * long.
 */
const MAX_PLANNED = 10_000;

export interface SettleOptions {
  /** Collects tasks whose schedule cannot be computed; they stay due. Without it, they are an error. */
  faults?: ScheduleFaults;
  /** Records skips only: the slots that are to run stay due. */
  hold?: boolean;
}

/**
 * Settles the due slots of the tasks, whose row locks the caller's transaction holds. Some slots stay due: those of
 * tasks that `faults` took, the rest of very many slots, and with `hold` the last ones. Returns how many were left.
 */
export async function settleDueSlots(
  em: EntityManager,
  jobs: Jobs,
  due: readonly DueTask[],
  options: SettleOptions = {},
): Promise<number> {
  const [onTime, others] = options.hold ? [[], due] : split(due, isOnTime);
  // Tasks with few missed slots do not wait for those with many.
  const late = options.hold ? others : others.toSorted((left, right) => right.next_run_at - left.next_run_at);
  const { plans, left } = await planTasks(em, late, options);
  const planned = late.filter(({ id }) => plans.has(id));
  const firing = [...onTime, ...planned.filter((task) => planOf(plans, task).fire.length > 0)];
  const superseding = firing.filter(({ overlap }) => overlap === 'CANCEL_RUNNING').map(({ id }) => id);
  await cancelOpenRuns(em, superseding);
  const watched = firing.filter(({ overlap }) => overlap !== 'ALLOW').map(({ id }) => id);
  const counted = await countOpenRuns(em, watched);
  const openOf = ({ id }: DueTask) => counted.get(id) ?? NONE_OPEN;

  const [free, busy] = split(
    onTime,
    (task) => decideOverlap(task.overlap, openOf(task), task.queue_limit, false) === 'SEND',
  );
  await fireOnTime(em, jobs, free);
  for (const task of busy) plans.set(task.id, planOnTime(task));
  const settled = [...busy, ...planned];
  if (settled.length === 0) return left;
  const runs = settled.flatMap((task) => runsOf(task, planOf(plans, task), openOf(task)));
  const recorded = await insertRuns(em, jobs, new Map(settled.map((task) => [task.id, task])), runs);
  await insertGaps(em, settled, plans);
  // Whatever moves a task's pointer is in the log, or who follows the task would not hear of it.
  const silent = settled.filter((task) => !recorded.has(task.id) && planOf(plans, task).gaps.length === 0);
  await appendEvents(em, silent.map(onRecord));
  await movePointers(em, settled, plans);
  return left;
}

function split<Item>(items: readonly Item[], belongs: (item: Item) => boolean): [Item[], Item[]] {
  const [first, second]: [Item[], Item[]] = [[], []];
  for (const item of items) (belongs(item) ? first : second).push(item);
  return [first, second];
}

function planOf(plans: ReadonlyMap<number, DuePlan>, task: DueTask): DuePlan {
  const plan = plans.get(task.id);
  if (plan === undefined) throw new Error(`task ${task.id} was not planned`);
  return plan;
}

async function planTasks(
  em: EntityManager,
  tasks: readonly DueTask[],
  { faults, hold = false }: SettleOptions,
): Promise<{ plans: Map<number, DuePlan>; left: number }> {
  const plans = new Map<number, DuePlan>();
  let planned = 0;
  const rules = await readRules(
    em.getKysely(),
    tasks.map((task) => task.id),
  );
  for (const [index, task] of tasks.entries()) {
    if (planned >= MAX_PLANNED) return { plans, left: tasks.length - index };
    const compute = () => computePlan(task, rules.get(task.id) ?? []);
    const plan = faults === undefined ? compute() : faults.try(task.id, compute);
    if (plan === undefined) continue;
    plans.set(task.id, hold ? withoutFiring(plan) : plan);
    planned += plan.fire.length + plan.skip.length;
  }
  return { plans, left: 0 };
}

/** The plan of a task that is on time. */
function planOnTime({ next_run_at, following_run_at }: DueTask): DuePlan {
  const next = following_run_at === null ? null : new Date(following_run_at);
  return { fire: [{ slot: new Date(next_run_at), late: false }], skip: [], gaps: [], next };
}

function computePlan(task: DueTask, rules: readonly RepeatRule[]): DuePlan {
  const rule = {
    policy: task.catch_up,
    misfireGraceSeconds: task.misfire_grace_seconds,
    maxAgeSeconds: task.catch_up_max_age_seconds,
    missedBecause: task.has_runner ? ('MISSED' as const) : ('NO_RUNNER' as const),
  };
  const schedule = compileSchedule(rules, task.time_zone);
  return planDueSlots(schedule, rule, new Date(task.next_run_at), new Date(task.now));
}

async function readRules(database: Kysely<unknown>, taskIds: readonly number[]): Promise<Map<number, RepeatRule[]>> {
  if (taskIds.length === 0) return new Map();
  const { rows } = await sql<{ task_id: number; rules: RepeatRule[] }>`
    select task_id, rules from schedule_version where task_id = any(${taskIds}) and valid_to is null
  `.execute(database);
  return new Map(rows.map(({ task_id, rules }) => [task_id, rules]));
}

function skipped(taskId: number, slot: Date, reason: SkipReason): NewRun {
  return { taskId, slot, state: 'SKIPPED', skipReason: reason, message: SKIP_MESSAGES[reason], jobId: null };
}

function runsOf(task: DueTask, plan: DuePlan, counted: OpenRuns): NewRun[] {
  const runs = plan.skip.map(({ slot, reason }) => skipped(task.id, slot, reason));
  const open = { ...counted };
  const last = plan.fire.at(-1);
  for (const due of plan.fire) {
    if (task.overlap === 'CANCEL_RUNNING' && due !== last) {
      const message = 'Cancelled: a newer slot of the task is due.';
      runs.push({ taskId: task.id, slot: due.slot, state: 'CANCELLED', skipReason: null, message, jobId: null });
      continue;
    }
    const decision = decideOverlap(task.overlap, open, task.queue_limit, due.late);
    if (decision === 'SKIP') {
      runs.push(skipped(task.id, due.slot, 'OVERLAP'));
      continue;
    }
    open.open += 1;
    if (decision === 'WAIT') open.waiting += 1;
    const jobId = decision === 'SEND' ? randomUUID() : null;
    runs.push({ taskId: task.id, slot: due.slot, state: 'QUEUED', skipReason: null, message: null, jobId });
  }
  return runs;
}

interface InsertedRun {
  id: number;
  task_id: number;
  state: 'QUEUED' | 'SKIPPED' | 'CANCELLED';
  message: string | null;
  job_id: string | null;
}

/** Only rows that the unique index of the ledger accepted get a job and events. Returns their tasks. */
async function insertRuns(
  em: EntityManager,
  jobs: Jobs,
  tasks: ReadonlyMap<number, DueTask>,
  runs: readonly NewRun[],
): Promise<Set<number>> {
  if (runs.length === 0) return new Set();
  const values = runs.map((run) => ({ ...run, actorId: tasks.get(run.taskId)?.owner_id }));
  const { rows } = await sql<InsertedRun>`
    insert into run (task_id, slot, trigger, state, skip_reason, message, job_id, actor_id, queued_at, finished_at)
    select "taskId", slot, 'SCHEDULE', state, "skipReason", message, "jobId", "actorId", now(),
      case when state <> 'QUEUED' then now() end
    from json_to_recordset(${JSON.stringify(values)}::json) as r (
      "taskId" int, slot timestamptz, state text, "skipReason" text, message text, "jobId" uuid, "actorId" int)
    on conflict (task_id, slot) where trigger = 'SCHEDULE' do nothing
    returning id, task_id, state, message, job_id
  `.execute(em.getKysely());
  // A slot that is on the ledger already (the database's clock went back) was to run first, and others would wait for it.
  if (rows.length < runs.length) await releaseWaiting(em, jobs, [...tasks.keys()]);
  await jobs.send(
    em,
    rows.flatMap(({ id, task_id, job_id }) => {
      const task = tasks.get(task_id);
      if (job_id === null || task === undefined) return [];
      return [{ id: job_id, runId: id, attempt: 1, timeoutSeconds: task.timeout_seconds, className: task.class_name }];
    }),
  );
  await appendEvents(
    em,
    rows.flatMap((run) => {
      const task = tasks.get(run.task_id);
      if (task === undefined) return [];
      return [
        {
          type: run.state,
          taskId: task.id,
          taskName: task.name,
          actorId: task.owner_id,
          message: run.message,
          runId: run.id,
          runState: run.state,
          attempt: 0,
        },
      ];
    }),
  );
  return new Set(rows.map(({ task_id }) => task_id));
}

async function insertGaps(em: EntityManager, tasks: readonly DueTask[], plans: ReadonlyMap<number, DuePlan>) {
  const gaps = tasks.flatMap((task) => planOf(plans, task).gaps.map((gap) => ({ ...gap, taskId: task.id })));
  if (gaps.length === 0) return;
  await sql`
    insert into slot_gap (task_id, from_slot, to_slot, reason, count)
    select "taskId", "from", "to", reason, count from json_to_recordset(${JSON.stringify(gaps)}::json) as g (
      "taskId" int, "from" timestamptz, "to" timestamptz, reason text, count int)
    on conflict (task_id, from_slot) do nothing
  `.execute(em.getKysely());
  await appendEvents(
    em,
    tasks.flatMap((task) => planOf(plans, task).gaps.map((gap) => gapEvent(task, gap))),
  );
}

function gapEvent(task: DueTask, { from, to, reason, count }: Gap): NewEvent {
  const range = `${count} slots from ${from.toISOString()} to ${to.toISOString()} were skipped.`;
  return rescheduled(task, `${range} ${SKIP_MESSAGES[reason]}`, { from, to, reason, count });
}

async function movePointers(em: EntityManager, tasks: readonly DueTask[], plans: ReadonlyMap<number, DuePlan>) {
  const pointers = tasks.map((task) => ({ id: task.id, next: planOf(plans, task).next }));
  await sql`
    update task set next_run_at = p.next
    from json_to_recordset(${JSON.stringify(pointers)}::json) as p (id int, next timestamptz)
    where task.id = p.id
  `.execute(em.getKysely());
}
