// The fields of a repeat item under their old names, in the order of the old page, and how a call sends the items.
import type { RepeatRule } from '../calendar/repeat-rule.ts';
import { date, isEmptyList, type ParameterType, readAs, refusal, type Schema, wholeNumber } from './parameters.ts';
import { PhpArray, type PhpValue } from './php/value.ts';

interface RepeatField {
  name: string;
  field: keyof RepeatRule;
  type: ParameterType<string | number>;
  /** The old API returns and accepts `*` ("every") for calendar fields only. */
  isCalendar: boolean;
}

export const REPEAT_FIELDS: readonly RepeatField[] = [
  { name: 'repeat_start', field: 'start', type: date, isCalendar: false },
  { name: 'repeat_end', field: 'end', type: date, isCalendar: false },
  { name: 'repeat_interval', field: 'intervalDays', type: wholeNumber(1), isCalendar: false },
  { name: 'repeat_year', field: 'year', type: wholeNumber(1000, 9999), isCalendar: true },
  { name: 'repeat_month', field: 'month', type: wholeNumber(1, 12), isCalendar: true },
  { name: 'repeat_day', field: 'dayOfMonth', type: wholeNumber(1, 31), isCalendar: true },
  { name: 'repeat_week', field: 'weekOfMonth', type: wholeNumber(1, 5), isCalendar: true },
  { name: 'repeat_weekday', field: 'dayOfWeek', type: wholeNumber(0, 6), isCalendar: true },
  { name: 'repeat_hour', field: 'hour', type: wholeNumber(0, 23), isCalendar: true },
  { name: 'repeat_minute', field: 'minute', type: wholeNumber(0, 59), isCalendar: true },
];

export const REPEAT_ITEMS = 'repeat_items';
export const ACCEPTED_ITEMS =
  'an array of objects with the fields repeat_start to repeat_minute, empty for a task that only runs when asked';

const every = { enum: ['*'], description: 'Every value.' };

/** The fields of an item; each may be absent, empty or null. */
export const ITEM_SCHEMA: Schema = {
  type: 'object',
  properties: Object.fromEntries(
    REPEAT_FIELDS.map(({ name, type, isCalendar }) => [
      name,
      {
        description: `Accepts ${type.accepted}.`,
        anyOf: [type.schema, ...(isCalendar ? [every] : []), { enum: ['', null] }],
      },
    ]),
  ),
};
export const ITEMS_SCHEMA: Schema = {
  anyOf: [
    { type: 'array', items: ITEM_SCHEMA },
    { type: 'object', additionalProperties: ITEM_SCHEMA },
  ],
};

export type RepeatItemInput = Record<keyof RepeatRule, string | number | null>;

/**
 * The items that a call sends, for RepeatItemInput; undefined where it sends none. Throws a LegacyError that names the
 * field at fault. An absent minute is 0, any other absent field null.
 */
export function readRepeatItems(parameters: PhpArray): RepeatItemInput[] | undefined {
  return sentItems(parameters)?.map(({ values, nameOf }) => {
    const entries = REPEAT_FIELDS.map((field) => [field.field, readField(field, values.get(field.name), nameOf)]);
    return Object.fromEntries(entries) as RepeatItemInput;
  });
}

/** The old name of `field` of the item at `index`, as the call spelled it: `repeat_items[3][repeat_hour]`, `repeat_hour`. */
export function repeatFieldName(parameters: PhpArray, index: number, field: string | undefined): string {
  const item = sentItems(parameters)?.[index];
  const known = REPEAT_FIELDS.find((candidate) => candidate.field === field);
  return item === undefined || known === undefined ? REPEAT_ITEMS : item.nameOf(known.name);
}

interface SentItem {
  values: PhpArray;
  nameOf(field: string): string;
}

function sentItems(parameters: PhpArray): SentItem[] | undefined {
  const items = parameters.get(REPEAT_ITEMS);
  if (items === undefined || items === null || items === '') return topLevelItem(parameters);
  if (!(items instanceof PhpArray) && !Array.isArray(items)) throw refusal(REPEAT_ITEMS, items, ACCEPTED_ITEMS);
  return [...items.entries()].map(([key, item]) => sentItem(String(key), item));
}

/** `repeat_*` fields beside the task's own are its one item: the old page lists them so. */
function topLevelItem(parameters: PhpArray): SentItem[] | undefined {
  if (!REPEAT_FIELDS.some(({ name }) => parameters.has(name))) return undefined;
  return [{ values: parameters, nameOf: (field) => field }];
}

function sentItem(key: string, item: PhpValue): SentItem {
  const path = `${REPEAT_ITEMS}[${key}]`;
  if (!/^\d+$/.test(key)) throw refusal(path, item, `a number as the key; ${REPEAT_ITEMS} is ${ACCEPTED_ITEMS}`);
  const values = isEmptyList(item) ? new PhpArray() : item;
  if (!(values instanceof PhpArray))
    throw refusal(path, item, 'an object with the fields repeat_start to repeat_minute');
  return { values, nameOf: (field) => `${path}[${field}]` };
}

function readField(field: RepeatField, value: PhpValue | undefined, nameOf: SentItem['nameOf']) {
  const isMinute = field.field === 'minute';
  if (value === undefined || value === null || value === '') return isMinute ? 0 : null;
  if (value === '*' && field.isCalendar) return null;
  const accepted = field.isCalendar ? `${field.type.accepted}, or "*" for every` : field.type.accepted;
  return readAs({ ...field.type, accepted }, nameOf(field.name), value);
}
