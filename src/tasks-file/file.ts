// Reads a file of tasks: its form, and what each task says by itself. Whether it fits what is here is the plan's to say.
import { createReadStream } from 'node:fs';
import type { z } from 'zod';
import { findFieldFault } from '../calendar/schedule.ts';
import { reasonOf } from '../lib/describe-error.ts';
import { Fault } from '../lib/faults.ts';
import { OperatorError } from '../lib/operator-error.ts';
import { readData } from '../tasks/data.ts';
import { readName } from '../tasks/fields.ts';
import { fileSchema, taskSchema } from './file-schema.ts';

/** Some 350,000 tasks; a longer text would not be one string. */
const MAX_BYTES = 256 * 1024 * 1024;
const SHOWN_FAULTS = 100;

/** A task of the file. A field that it leaves out stays as it is; of a new task it gets its default. */
export interface FileTask extends Omit<z.infer<typeof taskSchema>, 'data' | 'dataText'> {
  /** Where it is, such as `tasks[3]`. */
  path: string;
  /** JSON text. */
  data: string | null | undefined;
}

export interface TasksFile {
  /** The UUID of the one that exported it; undefined where it was written by hand, or by an older version. */
  installation: string | undefined;
  tasks: FileTask[];
  /** Each with its path. Their tasks are not among the others. */
  faults: string[];
}

/** An OperatorError where it cannot be read or is no file of tasks at all. */
export async function readTasksFile(path: string): Promise<TasksFile> {
  const { success, data: content, error } = fileSchema.safeParse(parseJson(await readText(path), path));
  if (!success) throw new OperatorError(`${path}: ${faultsOf(error, '').join('; ')}.`);
  const faults: string[] = [];
  const tasks = content.tasks.flatMap((value, index) => readTask(value, `tasks[${index}]`, faults));
  return { installation: content.installation, tasks: withoutRepeated(tasks, faults), faults };
}

/** Throws them all together, where there are any. */
export function refuseFaults(faults: readonly string[]): void {
  if (faults.length === 0) return;
  const shown = faults.toSorted(new Intl.Collator('en', { numeric: true }).compare).slice(0, SHOWN_FAULTS);
  if (shown.length < faults.length) shown.push(`and ${faults.length - shown.length} more`);
  throw new OperatorError(
    `The file cannot be applied, and nothing was changed:\n${shown.map((each) => `  ${each}`).join('\n')}`,
  );
}

async function readText(path: string): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > MAX_BYTES) throw new Error(`it is longer than ${MAX_BYTES} bytes`);
      chunks.push(chunk);
    }
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
  } catch (error) {
    throw new OperatorError(`${path} cannot be read: ${reasonOf(error)}`);
  }
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new OperatorError(`${path} is not JSON: ${reasonOf(error)}`);
  }
}

/** The first of each id. */
function withoutRepeated(tasks: readonly FileTask[], faults: string[]): FileTask[] {
  const paths = new Map<number, string>();
  return tasks.filter(({ id, path }) => {
    if (id === undefined) return true;
    const first = paths.get(id);
    if (first !== undefined) faults.push(`${path}.id must not repeat ${first}.id, got ${id}`);
    else paths.set(id, path);
    return first === undefined;
  });
}

/** The task, unless something is wrong with it. */
function readTask(value: unknown, path: string, faults: string[]): FileTask[] {
  const parsed = taskSchema.safeParse(value);
  if (!parsed.success) {
    for (const fault of faultsOf(parsed.error, path)) faults.push(fault);
    return [];
  }
  const before = faults.length;
  const { data: _data, dataText: _text, ...task } = parsed.data;
  attempt(faults, path, () => readName(task.name));
  const data = attempt(faults, path, () => readData(parsed.data));
  for (const [index, rule] of (task.repeatItems ?? []).entries()) {
    const fault = findFieldFault(rule);
    if (fault !== null) faults.push(`${path}.repeatItems[${index}].${fault.message}`);
  }
  return faults.length === before ? [{ ...task, path, data: data === null ? null : data?.text }] : [];
}

/** What `read` returns of the task at `path`; what it refuses as a mutation would is one more fault. */
function attempt<Result>(faults: string[], path: string, read: () => Result): Result | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    faults.push(`${pathOf(path, error.field)}: ${error.reason}`);
    return undefined;
  }
}

function faultsOf(error: z.ZodError, path: string): string[] {
  return error.issues.flatMap((issue) => {
    const at = pathOf(path, issue.path);
    if (issue.code === 'unrecognized_keys')
      return issue.keys.map((key) => `${pathOf(at, [key])} is unknown: it must be a field that an export has`);
    return [`${at === '' ? 'it' : at} ${issue.message}`];
  });
}

function pathOf(base: string, keys: readonly PropertyKey[]): string {
  return keys.reduce<string>((path, key) => {
    if (typeof key === 'number') return `${path}[${key}]`;
    return path === '' ? String(key) : `${path}.${String(key)}`;
  }, base);
}
