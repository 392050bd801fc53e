// Explains why a task ran, did not run or will run at an instant, from the ledger and the schedule of that time.
import type { EntityManager } from '@mikro-orm/postgresql';
import { type Kysely, sql } from 'kysely';
import { findExclusion, type RuleExclusion } from '../calendar/rule-exclusion.ts';
import { compileSchedule, type RepeatRule } from '../calendar/schedule.ts';
import type { ReadTables, Row } from '../database/rows.ts';
import { readSnapshot } from '../database/snapshot.ts';
import { toDate, toText } from '../database/timestamp.ts';
import type { SkipReason } from '../entities/run.ts';
import { hasRunner } from '../scheduling/live-runners.ts';
import { SKIP_MESSAGES } from '../scheduling/skip-messages.ts';
import { readLedgerFrom } from './ledger-begin.ts';

const SLOT_VERDICTS = [
  'RAN',
  'SKIPPED',
  'PENDING',
  'WILL_BE_DUE',
  'NOT_DUE',
  'PAUSED',
  'NO_TASK',
  'REMOVED',
  'UNACCOUNTED',
] as const;
export type SlotVerdict = (typeof SLOT_VERDICTS)[number];

export interface SlotExplanation {
  verdict: SlotVerdict;
  because: string;
  at: Date;
  timeZone: string;
  run: Row<'run'> | null;
  skipReason: SkipReason | null;
  /** Where the slot lies in a gap: how many slots that has. */
  gapCount: number | null;
  exclusions: (RuleExclusion & { rule: number })[];
  /** From the slot to the beginning of the first attempt, for one that began. */
  lateSeconds: number | null;
}

type Version = Row<'schedule_version'>;
type PartialExplanation = Pick<SlotExplanation, 'verdict' | 'because'> & Partial<SlotExplanation>;

/** Expects a whole minute; null if the task does not exist. */
export function explainSlot(em: EntityManager, taskId: number, at: Date): Promise<SlotExplanation | null> {
  return readSnapshot(em, async (database) => {
    const task = await database.selectFrom('task').selectAll().where('id', '=', taskId).executeTakeFirst();
    if (task === undefined) return null;
    const version = await findVersion(database, taskId, at);
    const told = await explain(database, task, version, at);
    const rest = { run: null, skipReason: null, gapCount: null, exclusions: [], lateSeconds: null };
    return { ...rest, at, timeZone: version?.time_zone ?? task.time_zone, ...told };
  });
}

function findVersion(database: Kysely<ReadTables>, taskId: number, at: Date): Promise<Version | undefined> {
  return database
    .selectFrom('schedule_version')
    .selectAll()
    .where('task_id', '=', taskId)
    .where('valid_from', '<', toText(at))
    .where((where) => where.or([where('valid_to', 'is', null), where('valid_to', '>=', toText(at))]))
    .executeTakeFirst();
}

async function explain(
  database: Kysely<ReadTables>,
  task: Row<'task'>,
  version: Version | undefined,
  at: Date,
): Promise<PartialExplanation> {
  const run = await database
    .selectFrom('run')
    .selectAll()
    .where('task_id', '=', task.id)
    .where('slot', '=', toText(at))
    .where('trigger', '=', 'SCHEDULE')
    .executeTakeFirst();
  if (run !== undefined) return explainRun(database, task, run, at);
  const ledgerFrom = await readLedgerFrom(database);
  const removed: PartialExplanation | null =
    ledgerFrom === null || at >= ledgerFrom
      ? null
      : { verdict: 'REMOVED', because: `The records of slots before ${ledgerFrom.toISOString()} have been removed.` };
  if (version === undefined) {
    if (removed !== null && at > toDate(task.created_at)) return removed;
    return { verdict: 'NO_TASK', because: `The task was added at ${iso(task.created_at)}.` };
  }
  if (task.deleted_at !== null && toDate(task.deleted_at) < at) {
    return { verdict: 'NO_TASK', because: `The task was deleted at ${iso(task.deleted_at)}.` };
  }
  if (!version.active) return { verdict: 'PAUSED', because: await explainPause(database, task, version) };
  const rules = version.rules as unknown as RepeatRule[];
  const schedule = compileSchedule(rules, version.time_zone);
  if (schedule.last(new Date(at.getTime() - 1), at) === null) return explainNotDue(rules, version.time_zone, at);
  const told = await explainDue(database, task, version, at);
  return told.verdict === 'UNACCOUNTED' && removed !== null ? removed : told;
}

async function explainDue(
  database: Kysely<ReadTables>,
  task: Row<'task'>,
  version: Version,
  at: Date,
): Promise<PartialExplanation> {
  const gap = await database
    .selectFrom('slot_gap')
    .select(['reason', 'count', 'from_slot', 'to_slot'])
    .where('task_id', '=', task.id)
    .where('from_slot', '<=', toText(at))
    .where('to_slot', '>=', toText(at))
    .executeTakeFirst();
  if (gap !== undefined) {
    const range = `It is one of ${gap.count} slots from ${iso(gap.from_slot)} to ${iso(gap.to_slot)}.`;
    const skipReason = gap.reason;
    return { verdict: 'SKIPPED', because: `${SKIP_MESSAGES[skipReason]} ${range}`, skipReason, gapCount: gap.count };
  }
  const isToCome = version.valid_to === null && task.next_run_at !== null && at >= toDate(task.next_run_at);
  if (!isToCome) return { verdict: 'UNACCOUNTED', because: 'It was due, and no record of it is there.' };
  const { rows } = await sql<{ ahead: boolean }>`select ${toText(at)}::timestamptz > now() as ahead`.execute(database);
  if (rows[0]?.ahead) return { verdict: 'WILL_BE_DUE', because: 'The task is to run then.' };
  const because = (await isServed(database, task.class_name))
    ? 'It is due, and no runner has fired it yet.'
    : `It is due, and no live runner has the class ${task.class_name}.`;
  return { verdict: 'PENDING', because };
}

async function explainRun(
  database: Kysely<ReadTables>,
  task: Row<'task'>,
  run: Row<'run'>,
  at: Date,
): Promise<PartialExplanation> {
  if (run.state === 'SKIPPED') {
    const skipReason = run.skip_reason;
    return { verdict: 'SKIPPED', because: run.message ?? 'It was skipped.', run, skipReason };
  }
  const firedLate = secondsBetween(at, run.queued_at);
  const begun = run.started_at === null ? null : secondsBetween(at, run.started_at);
  const outcome = `Its run is ${run.state}.`;
  const isFinished = run.state !== 'QUEUED' && run.state !== 'RUNNING';
  const why =
    isFinished && begun === null
      ? run.message
      : ((run.state === 'QUEUED' ? await explainWait(database, task) : null) ??
        explainLateness(firedLate, begun, task.misfire_grace_seconds));
  return {
    verdict: isFinished ? 'RAN' : 'PENDING',
    because: why === null ? outcome : `${outcome} ${why}`,
    run,
    lateSeconds: begun,
  };
}

/** Why a run waits, other than for busy runners; null if for nothing else. */
async function explainWait(database: Kysely<ReadTables>, { class_name }: Row<'task'>): Promise<string | null> {
  if (!(await isServed(database, class_name))) return `No live runner has the class ${class_name}.`;
  const busy = await database
    .selectFrom('run')
    .select('task_id')
    .where('state', '=', 'RUNNING')
    .where('exclusive_class', '=', class_name)
    .executeTakeFirst();
  return busy === undefined
    ? null
    : `It waits for a run of task ${busy.task_id}: no two runs of its class are under way at once.`;
}

async function isServed(database: Kysely<ReadTables>, className: string): Promise<boolean> {
  const { rows } = await sql<{ served: boolean }>`
    select ${hasRunner('class_name')} as served from (select ${className}::text as class_name) as task
  `.execute(database);
  return rows[0]?.served ?? false;
}

/** A run that begins so long after it was fired has waited. */
const WAITED_SECONDS = 2;

/** Who was up at that time, and with which classes, is not on record. */
function explainLateness(firedLate: number, begun: number | null, graceSeconds: number): string | null {
  if (firedLate >= graceSeconds) {
    return `It was fired ${Math.round(firedLate)} seconds late, and the catch-up policy ran it: no runner was firing in time, or none had its class.`;
  }
  if (begun === null) return 'It waits for a free place or for an earlier run of the task.';
  const waited = begun - firedLate;
  if (waited < WAITED_SECONDS) return null;
  return `It began ${Math.round(begun)} seconds after it was due: it waited for a runner with its class and a free place, or for an earlier run.`;
}

function secondsBetween(from: Date, to: string): number {
  return (toDate(to).getTime() - from.getTime()) / 1_000;
}

function explainNotDue(rules: readonly RepeatRule[], timeZone: string, at: Date): PartialExplanation {
  if (rules.length === 0) return { verdict: 'NOT_DUE', because: 'The task has no repeat items.' };
  const exclusions = rules.flatMap((rule, index) => {
    const exclusion = findExclusion(rule, timeZone, at);
    return exclusion === null ? [] : [{ ...exclusion, rule: index }];
  });
  const because = exclusions.map(({ rule, message }) => `Rule ${rule + 1}: ${message}.`).join(' ');
  return { verdict: 'NOT_DUE', because, exclusions };
}

/**
 * A pause may span several versions: an edit of a paused task makes another one. The version in which it began may have
 * been removed; the first that is left is then that of a later edit.
 */
async function explainPause(database: Kysely<ReadTables>, task: Row<'task'>, version: Version): Promise<string> {
  const { rows } = await sql<{ since: string; is_known: boolean }>`
    with before as (
      select max(valid_from) as at from schedule_version
      where task_id = ${version.task_id} and valid_from <= ${version.valid_from} and active
    )
    select min(valid_from) as since, min(valid_from) <= ${task.created_at} or bool_or(before.at is not null) as is_known
    from schedule_version, before
    where task_id = ${version.task_id} and valid_from <= ${version.valid_from}
      and valid_from > coalesce(before.at, '-infinity')
  `.execute(database);
  const { since, is_known } = rows[0] ?? { since: version.valid_from, is_known: false };
  return `The task was paused since ${iso(since)}${is_known ? '' : ' at the latest; what was before is no longer on record'}.`;
}

function iso(text: string): string {
  return toDate(text).toISOString();
}
