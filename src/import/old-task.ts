import type { RepeatRule } from '../calendar/schedule.ts';
import { MAX_GIVEN_ID } from '../database/sequence.ts';
import { ACTIONS } from '../legacy/actions.ts';
import { readInput } from '../legacy/input.ts';
import { LegacyError } from '../legacy/legacy-error.ts';
import { readAs, show, wholeNumber } from '../legacy/parameters.ts';
import { PhpArray } from '../legacy/php/value.ts';
import { Fault, type FieldPath } from '../lib/faults.ts';
import { OperatorError } from '../lib/operator-error.ts';
import { readName } from '../tasks/fields.ts';
import { type GivenRule, readRepeatItems } from '../tasks/repeat-items.ts';
import { oldTimeOrNull } from './old-time.ts';
import { printable } from './printable.ts';

/** A row of getTasks. */
export interface OldTask {
  id: number;
  ownerId: number;
  name: string;
  className: string;
  active: boolean;
  /** JSON text. */
  data: string | null;
  /** `YYYY-MM-DD HH:MM:SS` on the clock of the old server. */
  lastRun: string | null;
  rules: RepeatRule[];
  /** The ids of the repeat items, in the order of the rules. */
  itemIds: number[];
}

const addTask = ACTIONS.find(({ name }) => name === 'addTask');
const id = wholeNumber(1, MAX_GIVEN_ID);

/** All rows, read as addTask reads them. Throws OperatorError with all faults. */
export function readOldTasks(rows: readonly PhpArray[], timeZone: string): OldTask[] {
  const faults: string[] = [];
  const tasks = rows.flatMap((row) => {
    try {
      return [readOldTask(row, timeZone)];
    } catch (error) {
      faults.push(`task ${show(row.get('id'))}: ${faultOf(error)}`);
      return [];
    }
  });
  const ids = new Set(tasks.map((task) => task.id));
  if (ids.size < tasks.length) faults.push('two tasks have the same id');
  if (faults.length > 0) throw new OperatorError(`The old tasks cannot be taken as they are: ${faults.join('; ')}.`);
  return tasks;
}

/** The fault of a row as one line; other errors are bugs. */
export function faultOf(error: unknown): string {
  if (error instanceof LegacyError) return printable(error.message);
  if (error instanceof Fault) return printable(`${oldPath(error.field)}: ${error.reason}`);
  throw error;
}

/** `repeat_items.0.hour`: the list has its old name, the fields of a rule are called as its reason calls them. */
function oldPath(field: FieldPath): string {
  return field.map((key) => (key === 'repeatItems' ? 'repeat_items' : key)).join('.');
}

function readOldTask(row: PhpArray, timeZone: string): OldTask {
  if (addTask === undefined) throw new Error('there is no addTask');
  const {
    name = '',
    className = '',
    ownerLegacyId = 0,
    active = false,
    dataText,
    repeatItems,
  } = readInput(addTask, row);
  return {
    id: readAs(id, 'id', row.get('id') ?? null),
    ownerId: ownerLegacyId,
    name: readName(name),
    className,
    active,
    data: dataText ?? null,
    lastRun: readAs(oldTimeOrNull, 'last_run', row.get('last_run') ?? null),
    // The adapter's result has the form of the mutations' input.
    rules: readRepeatItems((repeatItems ?? []) as GivenRule[], timeZone),
    itemIds: itemIdsOf(row),
  };
}

function itemIdsOf(row: PhpArray): number[] {
  const items = row.get('repeat_items') ?? [];
  const values = items instanceof PhpArray ? [...items.values()] : Array.isArray(items) ? items : [];
  return values.flatMap((item, index) =>
    item instanceof PhpArray && item.has('id') ? [readAs(id, `repeat_items.${index}.id`, item.get('id') ?? null)] : [],
  );
}
