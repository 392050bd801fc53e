// The fields of a task that the editor can change, as they are stored.
import type { RuleFields } from '../../calendar/rule-words.ts';
import type { Json } from './data-fields.ts';
import type { EditableClasses } from './editable-classes.ts';
import { type EditedTask, POLICY_NAMES, type Policy, policyOf } from './task-policy.ts';

export interface Values {
  name: string;
  className: string;
  active: boolean;
  /** Empty for the server's time zone. */
  timeZone: string;
  /** Null for the caller. */
  ownerLegacyId: number | null;
  rules: readonly Required<RuleFields>[];
  /** An object, or null for none. */
  data: Json;
  /** The data as JSON text, as typed or as stored; null if they were edited in fields. */
  dataText: string | null;
  /** In a new task null stands for the default of the class. */
  policy: Policy;
}

export function valuesOfTask(task: EditedTask): Values {
  const { name, className, active, timeZone, owner, data, dataText } = task;
  return {
    name,
    className,
    active,
    timeZone,
    ownerLegacyId: owner.legacyId,
    rules: task.repeatItems.map((item) => ({ ...item })),
    data: withoutEmpty(data as Json),
    dataText,
    policy: policyOf(task),
  };
}

/** The values of a new task, with the first class. */
export function valuesOfNew(classes: EditableClasses): Values {
  const unset = Object.fromEntries(POLICY_NAMES.map((name) => [name, null])) as Policy;
  return {
    name: '',
    className: classes.all[0]?.name ?? '',
    active: true,
    timeZone: '',
    ownerLegacyId: null,
    rules: [],
    data: null,
    dataText: null,
    policy: unset,
  };
}

/** Replaces an empty object by null, as the server does. */
export function withoutEmpty(data: Json | undefined): Json {
  if (data === undefined || data === null) return null;
  return typeof data === 'object' && Object.keys(data).length === 0 ? null : data;
}
