// The form of a file of tasks. Each fault says what came and what is accepted; its path says where.
import { z } from 'zod';
import { isTimeZone, type NumberField, RULE_RANGES } from '../calendar/schedule.ts';
import { MAX_GIVEN_ID } from '../database/sequence.ts';
import { CATCH_UP_POLICIES, OVERLAP_POLICIES, POLICY_BOUNDS } from '../entities/task.ts';
import { MAX_ITEMS } from '../tasks/repeat-items.ts';
import { FORMAT } from './definition.ts';

const SHOWN_LENGTH = 80;

/** A value in a message. */
export function shorten(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > SHOWN_LENGTH ? `${text.slice(0, SHOWN_LENGTH)}…` : text;
}

const refused = (value: unknown, accepted: string) =>
  `must be ${accepted}, got ${value === undefined ? 'nothing' : shorten(value)}`;

function accepting<Value>(accepted: string, check: (value: unknown) => boolean) {
  return z.custom<Value>(check, { error: ({ input }) => refused(input, accepted) });
}

function objectOf<Shape extends z.core.$ZodShape>(shape: Shape) {
  // Null leaves the message to zod, for keys that are unknown.
  const error = ({ code, input }: { code?: string; input?: unknown }) =>
    code === 'invalid_type' ? refused(input, 'an object') : null;
  return z.strictObject(shape, { error });
}

const text = accepting<string>('a text', (value) => typeof value === 'string');
const flag = accepting<boolean>('true or false', (value) => typeof value === 'boolean');
const isWhole = (value: unknown, [least, most]: readonly [number, number]) =>
  Number.isInteger(value) && isWithin(value, [least, most]);
const isWithin = (value: unknown, [least, most]: readonly [number, number]) =>
  typeof value === 'number' && value >= least && value <= most;

const whole = (range: readonly [number, number]) =>
  accepting<number>(`a whole number from ${range[0]} to ${range[1]}`, (value) => isWhole(value, range));
const wholeOrNull = (range: readonly [number, number]) =>
  accepting<number | null>(
    `a whole number from ${range[0]} to ${range[1]}, or null`,
    (value) => value === null || isWhole(value, range),
  );
const decimal = (range: readonly [number, number]) =>
  accepting<number>(`a number from ${range[0]} to ${range[1]}`, (value) => isWithin(value, range));
const oneOf = <Value extends string>(values: readonly Value[]) =>
  accepting<Value>(`one of ${values.join(', ')}`, (value) => (values as readonly unknown[]).includes(value));

/** What is left out is null, which means every, and of the minute 0: as in `RepeatItemInput`. */
const numberField = (field: NumberField) => wholeOrNull(RULE_RANGES[field]).default(null);
const day = accepting<string | null>(
  'a date as YYYY-MM-DD, or null',
  (value) => value === null || typeof value === 'string',
);

const ruleSchema = objectOf({
  start: day.default(null),
  end: day.default(null),
  intervalDays: numberField('intervalDays'),
  year: numberField('year'),
  month: numberField('month'),
  dayOfMonth: numberField('dayOfMonth'),
  weekOfMonth: numberField('weekOfMonth'),
  dayOfWeek: numberField('dayOfWeek'),
  hour: numberField('hour'),
  minute: wholeOrNull(RULE_RANGES.minute).default(0),
});

const policySchema = objectOf({
  overlap: oneOf(OVERLAP_POLICIES).exactOptional(),
  queueLimit: whole(POLICY_BOUNDS.queueLimit).exactOptional(),
  catchUp: oneOf(CATCH_UP_POLICIES).exactOptional(),
  misfireGraceSeconds: whole(POLICY_BOUNDS.misfireGraceSeconds).exactOptional(),
  catchUpMaxAgeSeconds: wholeOrNull(POLICY_BOUNDS.catchUpMaxAgeSeconds).exactOptional(),
  retry: objectOf({
    attempts: whole(POLICY_BOUNDS.retryAttempts).exactOptional(),
    delaySeconds: whole(POLICY_BOUNDS.retryDelaySeconds).exactOptional(),
    backoff: decimal(POLICY_BOUNDS.retryBackoff).exactOptional(),
    jitter: decimal(POLICY_BOUNDS.retryJitter).exactOptional(),
  }).exactOptional(),
  timeoutSeconds: whole(POLICY_BOUNDS.timeoutSeconds).exactOptional(),
});

export const taskSchema = objectOf({
  id: whole([1, MAX_GIVEN_ID]).exactOptional(),
  version: whole([1, MAX_GIVEN_ID]).exactOptional(),
  name: text,
  className: text,
  active: flag.exactOptional(),
  owner: text.exactOptional(),
  timeZone: accepting<string>('an IANA time zone such as Europe/Berlin', isTimeZoneName).exactOptional(),
  repeatItems: z
    .array(ruleSchema, { error: ({ input }) => refused(input, 'a list of rules') })
    .max(MAX_ITEMS, `must have at most ${MAX_ITEMS} rules`)
    .exactOptional(),
  policy: policySchema.exactOptional(),
  data: z.unknown().exactOptional(),
  dataText: text.exactOptional(),
}).superRefine(({ id, version }, context) => {
  if ((id === undefined) === (version === undefined)) return;
  const [missing, given] = id === undefined ? ['id', 'version'] : ['version', 'id'];
  const message = `must be given, as ${given} is: both as they were exported, or neither for a new task`;
  context.addIssue({ code: 'custom', path: [missing], message });
});

/** Its tasks are read one by one, so that a fault of one hides none of another. */
export const fileSchema = objectOf({
  slotkeeper: accepting<typeof FORMAT>(`${FORMAT}, the format of this version`, (value) => value === FORMAT),
  installation: accepting<string>('the UUID that an export has', isUuid).exactOptional(),
  tasks: z.array(z.unknown(), { error: ({ input }) => refused(input, 'a list of tasks') }),
});

function isUuid(value: unknown): boolean {
  return typeof value === 'string' && /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/.test(value);
}

function isTimeZoneName(value: unknown): boolean {
  return typeof value === 'string' && isTimeZone(value);
}
