import { scheduleInWords } from '../calendar/schedule-words.ts';
import type { ClassFaults } from './class-faults.ts';
import type { ImportPlan, PlannedTask, Verdict } from './plan.ts';
import { printable, quoted } from './printable.ts';

const MARKS: Record<Verdict, string> = { ADD: '+', SAME: '=', DIFFERS: '!', TAKEN: '!' };

export interface ShowOptions {
  timeZone: string;
  classFaults: ClassFaults;
  userNames: ReadonlyMap<number, string>;
  /** Why the history of a task is left there, by its id. */
  historyLeft: ReadonlyMap<number, string>;
  /** From when on slots are shown. */
  now: Date;
}

/** The plan in words: users, each task with its rules and next slots, and warnings to check before it is applied. */
export function showPlan({ tasks, newUsers }: ImportPlan, options: ShowOptions): string {
  const users = newUsers.map((id) => {
    const name = options.userNames.get(id);
    return `+ user ${id}${name === undefined ? '' : ` ${quoted(name)}`}, an operator`;
  });
  const classes = [...options.classFaults.unknown].map(
    (name) =>
      `? class ${printable(name)} is unknown here: until a runner has it (TASK_MODULES), its slots are recorded as skipped, NO_RUNNER`,
  );
  const count = (verdict: Verdict) => tasks.filter((each) => each.verdict === verdict).length;
  const left = count('DIFFERS') + count('TAKEN');
  const sum = `${count('ADD')} tasks to add, ${count('SAME')} here already${left === 0 ? '' : `, ${left} left as they are`}`;
  return [...users, ...tasks.flatMap((each) => showTask(each, options)), ...classes, sum].join('\n');
}

function showTask(planned: PlannedTask, options: ShowOptions): string[] {
  const { task, verdict } = planned;
  const head = `${MARKS[verdict]} task ${task.id} ${quoted(task.name)} of user ${task.ownerId}, ${printable(task.className)}`;
  const left = options.historyLeft.get(task.id);
  // A task that stays unchanged may have other data here.
  const isTaken = verdict === 'ADD' || verdict === 'SAME';
  const fault = isTaken ? options.classFaults.ofData.get(task.id) : undefined;
  return [
    ...verdictLines(head, planned, options),
    ...(left === undefined ? [] : [`    its history is left there: ${left}`]),
    ...(fault === undefined ? [] : [`    ? its runs will fail, since its class does not take its data: ${fault}`]),
  ];
}

function verdictLines(head: string, { task, verdict, differences }: PlannedTask, options: ShowOptions): string[] {
  const { timeZone, now } = options;
  if (verdict === 'SAME') return [`${head}: here already`];
  if (verdict === 'TAKEN') return [`${head}: a task of this id was deleted here`];
  if (verdict === 'DIFFERS')
    return [`${head}: here already, with another ${differences.join(', ')}; it stays as it is`];
  return [head, `    ${scheduleInWords({ ...task, timeZone }, now)}`];
}
