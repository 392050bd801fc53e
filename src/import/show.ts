import { scheduleInWords } from '../runner/schedule-words.ts';
import type { TaskClasses } from '../runner/tasks/index.ts';
import type { ImportPlan, PlannedTask, Verdict } from './plan.ts';

const MARKS: Record<Verdict, string> = { ADD: '+', SAME: '=', DIFFERS: '!', TAKEN: '!' };

export interface ShowOptions {
  timeZone: string;
  taskClasses: TaskClasses;
  userNames: ReadonlyMap<number, string>;
  /** From when on slots are shown. */
  now: Date;
}

/** The plan in words: users, each task with its rules and next slots, and what there is to look at before it is applied. */
export function showPlan({ tasks, newUsers }: ImportPlan, options: ShowOptions): string {
  const users = newUsers.map(
    (id) => `+ user ${id}${options.userNames.has(id) ? ` "${options.userNames.get(id)}"` : ''}, an operator`,
  );
  const unknown = new Set(
    tasks.map(({ task }) => task.className).filter((name) => options.taskClasses.named(name) === undefined),
  );
  const classes = [...unknown].map(
    (name) =>
      `? class ${name} is unknown here: until a runner has it (TASK_MODULES), its slots are recorded as skipped, NO_RUNNER`,
  );
  const count = (verdict: Verdict) => tasks.filter((each) => each.verdict === verdict).length;
  const left = count('DIFFERS') + count('TAKEN');
  const sum = `${count('ADD')} tasks to add, ${count('SAME')} here already${left === 0 ? '' : `, ${left} left as they are`}`;
  return [...users, ...tasks.flatMap((each) => showTask(each, options)), ...classes, sum].join('\n');
}

function showTask({ task, verdict, differences }: PlannedTask, { timeZone, now }: ShowOptions): string[] {
  const head = `${MARKS[verdict]} task ${task.id} "${task.name}" of user ${task.ownerId}, ${task.className}`;
  if (verdict === 'SAME') return [`${head}: here already`];
  if (verdict === 'TAKEN') return [`${head}: a task of this id was deleted here`];
  if (verdict === 'DIFFERS')
    return [`${head}: here already, with another ${differences.join(', ')}; it stays as it is`];
  return [head, `    ${scheduleInWords({ ...task, timeZone }, now)}`];
}
