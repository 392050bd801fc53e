import { rulesInWords } from '../calendar/rule-words.ts';
import { scheduleInWords } from '../calendar/schedule-words.ts';
import type { FileTask } from './file.ts';
import { shorten } from './file-schema.ts';
import type { PlannedChange, TaskPlan } from './plan.ts';

/** Of tasks that nothing happens to. */
const SHOWN_LEFT = 20;

export interface ShowOptions {
  /** Of new tasks that name none. */
  timeZone: string;
  /** From when on slots are shown. */
  now: Date;
  /** Where they were added: the ids that they got. */
  addedIds?: readonly number[];
}

/** The plan in words, what is added, changed and deleted, and how many tasks stay as they are. */
export function showPlan(plan: TaskPlan, { timeZone, now, addedIds = [] }: ShowOptions): string {
  const added = plan.add.flatMap((file, index) => showAdded(file, addedIds[index] ?? file.id, timeZone, now));
  const removed = plan.remove.map(({ id, name }) => `- task ${id} ${JSON.stringify(name)}`);
  const left = plan.left
    .slice(0, SHOWN_LEFT)
    .map(({ id, name }) => `  task ${id} ${JSON.stringify(name)} is not in the file: left alone`);
  if (plan.left.length > SHOWN_LEFT) left.push(`  and ${plan.left.length - SHOWN_LEFT} more`);
  return [...added, ...plan.change.flatMap((change) => showChange(change, now)), ...removed, ...left, sumOf(plan)].join(
    '\n',
  );
}

function sumOf({ add, change, remove, same, left }: TaskPlan): string {
  const others = left.length === 0 ? '' : `, ${left.length} not in the file`;
  return `${add.length} to add, ${change.length} to change, ${remove.length} to delete, ${same} as they are${others}`;
}

function showAdded(file: FileTask, id: number | undefined, timeZone: string, now: Date): string[] {
  const owner = file.owner === undefined ? '' : ` of ${JSON.stringify(file.owner)}`;
  const schedule = {
    rules: [...(file.repeatItems ?? [])],
    timeZone: file.timeZone ?? timeZone,
    active: file.active ?? true,
  };
  const head = `+ ${id === undefined ? 'a new task' : `task ${id}`} ${JSON.stringify(file.name)}${owner}, ${file.className}`;
  return [head, `    ${scheduleInWords(schedule, now)}`];
}

function showChange({ here, wanted, fields }: PlannedChange, now: Date): string[] {
  const before = here.definition;
  const lines = fields.flatMap((field) => {
    if (field === 'repeatItems')
      return [`repeatItems: ${inWords(before.repeatItems)} → ${inWords(wanted.repeatItems)}`];
    if (field === 'data') return dataDifferences(before.data, wanted.data);
    return differences(field, before[field], wanted[field]);
  });
  const { repeatItems: rules, timeZone, active } = wanted;
  const isDueAnew = fields.some((field) => field === 'repeatItems' || field === 'timeZone' || field === 'active');
  if (isDueAnew) lines.push(scheduleInWords({ rules, timeZone, active }, now));
  return [`~ task ${here.id} ${JSON.stringify(before.name)}`, ...lines.map((line) => `    ${line}`)];
}

function inWords(rules: PlannedChange['wanted']['repeatItems']): string {
  return rules.length === 0 ? 'when asked to' : rulesInWords(rules).join('; ');
}

function dataDifferences(from: string | null, to: string | null): string[] {
  const lines = differences('data', JSON.parse(from ?? 'null'), JSON.parse(to ?? 'null'));
  return lines.length > 0 ? lines : ['data: the same to us, but written otherwise'];
}

/** `path: old → new` of each value that differs, down to the keys of objects. */
function differences(path: string, from: unknown, to: unknown): string[] {
  if (isObject(from) && isObject(to)) {
    const keys = new Set([...Object.keys(from), ...Object.keys(to)]);
    return [...keys].flatMap((key) => differences(`${path}.${JSON.stringify(key).slice(1, -1)}`, from[key], to[key]));
  }
  return JSON.stringify(from) === JSON.stringify(to) ? [] : [`${path}: ${said(from)} → ${said(to)}`];
}

const said = (value: unknown) => (value === undefined ? 'nothing' : shorten(value));

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
