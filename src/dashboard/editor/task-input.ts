// The inputs of the mutations that save a task.
import type { AddTaskInput, TaskPolicyInput, UpdateTaskInput } from '../operations.ts';
import { sameRules } from './rule-form.ts';
import { POLICY_NAMES, type Policy, type PolicyName, type PolicyValue } from './task-policy.ts';
import type { Values } from './task-values.ts';
import { isSameData } from './typed-data.ts';

type Sent<Input> = Omit<Input, 'task' | 'expectedVersion' | 'idempotencyKey'>;

export function addInput(values: Values): Sent<AddTaskInput> {
  const { name, className, active, timeZone, ownerLegacyId, rules, policy } = values;
  return {
    name,
    className,
    active,
    repeatItems: [...rules],
    ...(timeZone === '' ? {} : { timeZone }),
    ...(ownerLegacyId === null ? {} : { ownerLegacyId }),
    ...(values.data === null && values.dataText === null ? {} : dataInput(values)),
    ...policyInput(
      POLICY_NAMES.filter((each) => policy[each] !== null),
      policy,
    ),
  };
}

/** Only the fields that differ from `base`: rules that are sent get new ids. */
export function updateInput(values: Values, base: Values): Sent<UpdateTaskInput> {
  const { name, className, active, timeZone, ownerLegacyId, rules, policy } = values;
  return {
    ...(name === base.name ? {} : { name }),
    ...(className === base.className ? {} : { className }),
    ...(active === base.active ? {} : { active }),
    ...(timeZone === base.timeZone ? {} : { timeZone }),
    ...(ownerLegacyId === base.ownerLegacyId || ownerLegacyId === null ? {} : { ownerLegacyId }),
    ...(sameRules(rules, base.rules) ? {} : { repeatItems: [...rules] }),
    ...(isSameData(values, base) ? {} : dataInput(values)),
    ...policyInput(
      POLICY_NAMES.filter((each) => policy[each] !== base.policy[each]),
      policy,
    ),
  };
}

function dataInput({ data, dataText }: Values): { data?: unknown; dataText?: string } {
  return dataText === null || dataText.trim() === '' ? { data } : { dataText };
}

function policyInput(names: readonly PolicyName[], policy: Policy): { policy?: TaskPolicyInput } {
  if (names.length === 0) return {};
  const input: Record<string, PolicyValue> = {};
  const retry: Record<string, PolicyValue> = {};
  for (const name of names) {
    if (name.startsWith('retry.')) retry[name.slice('retry.'.length)] = policy[name];
    else input[name] = policy[name];
  }
  const all = Object.keys(retry).length === 0 ? input : { ...input, retry };
  return { policy: all as TaskPolicyInput };
}
