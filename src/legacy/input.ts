// The parameters of the actions: what each is called, what it accepts, and which field of our inputs it becomes.
import { jsonObject, type ParameterType, readAs, refusal, type Schema } from './parameters.ts';
import type { PhpArray } from './php/value.ts';
import { ACCEPTED_ITEMS, ITEMS_SCHEMA, REPEAT_ITEMS, type RepeatItemInput, readRepeatItems } from './repeat-items.ts';

/** The input of the mutations that the parameters of a call become. */
export interface LegacyInput {
  task?: { legacyId: number };
  ownerLegacyId?: number;
  name?: string;
  className?: string;
  dataText?: string | null;
  active?: boolean;
  repeatItems?: RepeatItemInput[];
  /** Not a parameter: the header Idempotency-Key. */
  idempotencyKey?: string;
}

export interface Parameter {
  name: string;
  field: keyof LegacyInput;
  isRequired: boolean;
  accepted: string;
  schema: Schema;
  /** undefined if the call does not send it. Throws LegacyError for a value that is not accepted. */
  read(parameters: PhpArray): LegacyInput[keyof LegacyInput];
}

type FieldValue = NonNullable<LegacyInput[keyof LegacyInput]> | null;

export function required(name: string, field: keyof LegacyInput, type: ParameterType<FieldValue>): Parameter {
  const read = (parameters: PhpArray) => {
    const value = parameters.get(name);
    return value === undefined || value === null ? undefined : readAs(type, name, value);
  };
  return { name, field, isRequired: true, accepted: type.accepted, schema: type.schema, read };
}

/** The old page requires it, and its callers leave it out all the same; null is one of its values. */
export const data: Parameter = {
  name: 'data',
  field: 'dataText',
  isRequired: false,
  accepted: jsonObject.accepted,
  schema: jsonObject.schema,
  read(parameters) {
    const value = parameters.get('data');
    return value === undefined ? undefined : readAs(jsonObject, 'data', value);
  },
};

export function repeatItems(isRequired: boolean): Parameter {
  const accepted = ACCEPTED_ITEMS;
  return {
    name: REPEAT_ITEMS,
    field: 'repeatItems',
    isRequired,
    accepted,
    schema: ITEMS_SCHEMA,
    read: readRepeatItems,
  };
}

/** Throws a LegacyError for the first parameter that is missing or not accepted; unknown ones are ignored. */
export function readInput(action: { parameters: readonly Parameter[] }, sent: PhpArray): LegacyInput {
  const input: LegacyInput = {};
  for (const { name, field, isRequired, accepted, read } of action.parameters) {
    const value = read(sent);
    if (value !== undefined) Object.assign(input, { [field]: value });
    else if (isRequired) throw refusal(name, sent.get(name), accepted);
  }
  return input;
}
