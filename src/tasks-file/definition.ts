// What makes a task what it is, as the file of tasks says it.
import { hash } from 'node:crypto';
import type { RepeatRule } from '../calendar/schedule.ts';
import { phpRecode } from '../legacy/php/json-encode.ts';
import type { TaskPolicy } from '../tasks/policy.ts';

/** Of the file; another number is another form. */
export const FORMAT = 1;

export interface TaskDefinition {
  name: string;
  className: string;
  active: boolean;
  /** The owner's name. */
  owner: string;
  timeZone: string;
  repeatItems: RepeatRule[];
  policy: TaskPolicy;
  /** JSON text. */
  data: string | null;
}

export type DefinitionField = keyof TaskDefinition;

/** A task that is here. */
export interface StoredTask {
  id: number;
  version: number;
  definition: TaskDefinition;
}

/** The task as the file has it, its keys in their order. */
export function toFile({ id, version, definition }: StoredTask): object {
  const { data, repeatItems, ...rest } = definition;
  const { name, className, active, owner, timeZone, policy } = rest;
  const items = repeatItems.map(ruleToFile);
  return { id, version, name, className, active, owner, timeZone, repeatItems: items, policy, ...dataToFile(data) };
}

/** Fields that are null are left out, but for the minute, whose absence means 0 as in `RepeatItemInput`. */
function ruleToFile(rule: RepeatRule): object {
  const { start, end, intervalDays, year, month, dayOfMonth, weekOfMonth, dayOfWeek, hour, minute } = rule;
  const fields = { start, end, intervalDays, year, month, dayOfMonth, weekOfMonth, dayOfWeek, hour };
  return { ...Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null)), minute };
}

/** A value, or the text itself where something of it would be lost to those who read it. */
function dataToFile(text: string | null): { data: unknown } | { dataText: string } {
  if (text === null) return { data: null };
  const data = JSON.parse(text) as object;
  if (Object.keys(data).length === 0) return { data: null };
  return isKept(text, data) ? { data } : { dataText: text };
}

/** Old callers see exact numbers and the order of keys; what they see of the value must be what they see of the text. */
function isKept(text: string, data: object): boolean {
  try {
    return phpRecode(JSON.stringify(data)) === phpRecode(text);
  } catch {
    // Too deep for them, or a number too large; stored by an earlier version.
    return false;
  }
}

/** The fields in which two definitions differ; the order of rules is none. */
export function fieldsThatDiffer(left: TaskDefinition, right: TaskDefinition): DefinitionField[] {
  const fields = Object.keys(left) as DefinitionField[];
  return fields.filter((field) => left[field] !== right[field] && contentOf(left, field) !== contentOf(right, field));
}

/** The same for definitions that do not differ. */
export function digestOf(definition: TaskDefinition): string {
  const fields = (Object.keys(definition) as DefinitionField[]).toSorted();
  return hash('sha256', fields.map((field) => contentOf(definition, field)).join('\n'));
}

function contentOf(definition: TaskDefinition, field: DefinitionField): string {
  const { data, repeatItems } = definition;
  if (field === 'data') return JSON.stringify(dataToFile(data));
  if (field === 'repeatItems') {
    return repeatItems
      .map((rule) => JSON.stringify(ruleToFile(rule)))
      .toSorted()
      .join();
  }
  return JSON.stringify(definition[field]);
}
