// Places the faults of a task at the fields of its form.
import type { DataFault } from './data-form.ts';
import { placeRuleFaults, type RuleDraft } from './rule-form.ts';
import { POLICY_NAMES } from './task-policy.ts';

/** Faults by the path of the input, faults of the data by the path within them, and faults without a field. */
export interface FormFaults {
  byField: ReadonlyMap<string, string>;
  data: readonly DataFault[];
  other: string | null;
}

/** The key of `byField` for a field of a rule. */
export function ruleField(key: number, field: string): string {
  return `rule.${key}.${field}`;
}

const PLACED: ReadonlySet<string> = new Set([
  ...['name', 'className', 'active', 'timeZone', 'ownerLegacyId', 'repeatItems', 'data', 'dataText'],
  ...POLICY_NAMES.map((name) => `policy.${name}`),
]);

/** Places the server's faults where a form with these rules shows them. */
export function placeFaults(found: Pick<FormFaults, 'byField' | 'other'>, rules: readonly RuleDraft[]): FormFaults {
  const byField = new Map<string, string>();
  const data: DataFault[] = [];
  const other = found.other === null ? [] : [found.other];
  for (const [field, message] of found.byField) {
    if (field.startsWith('input.data.') || message.startsWith(LISTED)) data.push(...dataFaultsOf(field, message));
    else if (PLACED.has(field.replace('input.', ''))) byField.set(field, message);
    else if (!field.startsWith('input.repeatItems.')) other.push(`${field}: ${message}`);
  }
  for (const [key, faults] of placeRuleFaults(found.byField, rules)) {
    for (const [field, message] of faults) byField.set(ruleField(key, field), message);
  }
  return { byField, data, other: other.length === 0 ? null : other.join(' ') };
}

/** The prefix of each fault in a list of faults of the data. */
const LISTED = '✖ ';
const SEGMENT = /\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]|([^.[\]]+)/g;

/** A class defined in code reports all faults of its data, each as `✖ message` and `→ at path` (Zod's format). */
function dataFaultsOf(field: string, message: string): DataFault[] {
  const path = field.split('.').slice(2);
  if (!message.startsWith(LISTED)) return [{ path, message }];
  return message
    .split(/(?:^|\n)✖ /)
    .slice(1)
    .map((part) => {
      const [text = '', at] = part.split('\n  → at ');
      const segments = [...(at ?? '').matchAll(SEGMENT)].map(([, index, quoted, plain]) => {
        if (index !== undefined) return Number(index);
        return quoted === undefined ? (plain ?? '') : (JSON.parse(quoted) as string);
      });
      return { path: segments, message: text };
    });
}
