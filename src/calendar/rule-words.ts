// A task's rules in words: "Thursday, Friday and Saturday at 20:00, from 6 May 2015".

/** A repeat item; null means every. */
export interface RuleFields {
  start?: string | null;
  end?: string | null;
  intervalDays?: number | null;
  year?: number | null;
  month?: number | null;
  dayOfMonth?: number | null;
  weekOfMonth?: number | null;
  /** 0 is Sunday. */
  dayOfWeek?: number | null;
  hour?: number | null;
  minute?: number | null;
}

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];
const ORDINALS = ['first', 'second', 'third', 'fourth', 'fifth'];

/** One sentence for each group of rules that differ by their weekday alone, in the order of the rules. */
export function rulesInWords(rules: readonly RuleFields[]): string[] {
  const groups = new Map<string, { rule: RuleFields; days: number[] }>();
  for (const rule of rules) {
    const { dayOfWeek, ...others } = rule;
    const isDay = isSet(dayOfWeek) && !isSet(rule.intervalDays);
    const key = JSON.stringify([isDay, ...Object.keys(FIELDS).map((field) => others[field as keyof typeof others])]);
    const group = groups.get(key) ?? { rule, days: [] };
    if (isDay && !group.days.includes(dayOfWeek)) group.days.push(dayOfWeek);
    groups.set(key, group);
  }
  return [...groups.values()].map(({ rule, days }) =>
    sentence(
      rule,
      days.map((day) => DAYS[day] ?? `day ${day}`),
    ),
  );
}

/** All but the weekday. */
const FIELDS: Record<Exclude<keyof RuleFields, 'dayOfWeek'>, true> = {
  start: true,
  end: true,
  intervalDays: true,
  year: true,
  month: true,
  dayOfMonth: true,
  weekOfMonth: true,
  hour: true,
  minute: true,
};

function isSet<Value>(value: Value | null | undefined): value is Value {
  return value !== null && value !== undefined;
}

function sentence(rule: RuleFields, days: readonly string[]): string {
  const text = `${isSet(rule.intervalDays) ? interval(rule) : calendar(rule, days)}${range(rule)}`;
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function interval({ intervalDays, start, hour, minute }: RuleFields): string {
  const every = intervalDays === 1 ? 'every day' : `every ${intervalDays} days`;
  const counted = isSet(start) && intervalDays !== 1 ? ` counted from ${date(start)}` : '';
  return `${every}${counted} at ${clock(hour ?? 0, minute ?? 0)}`;
}

function calendar(rule: RuleFields, days: readonly string[]): string {
  const day = dayPart(rule, days);
  const time = timePart(rule);
  const months = [
    isSet(rule.month) ? ` in ${MONTHS[rule.month - 1] ?? `month ${rule.month}`}` : '',
    isSet(rule.year) ? `${isSet(rule.month) ? ' ' : ' in '}${rule.year}` : '',
  ].join('');
  if (day === null) return `${isSet(rule.hour) && isSet(rule.minute) ? 'every day ' : ''}${time}${months}`;
  return `${day}${isSet(rule.hour) && isSet(rule.minute) ? ' ' : ', '}${time}${months}`;
}

/** Null if every day fits. A day of the month and a weekday must both fit. */
function dayPart({ dayOfMonth, weekOfMonth }: RuleFields, days: readonly string[]): string | null {
  const weekdays = listed(days, 'and');
  const parts: string[] = [];
  if (isSet(weekOfMonth) && days.length > 0) {
    parts.push(`the ${ORDINALS[weekOfMonth - 1] ?? `${weekOfMonth}.`} ${weekdays} of the month`);
  } else if (isSet(weekOfMonth))
    parts.push(`days ${7 * weekOfMonth - 6} to ${Math.min(7 * weekOfMonth, 31)} of the month`);
  if (isSet(dayOfMonth)) parts.push(`day ${dayOfMonth} of the month`);
  if (!isSet(weekOfMonth) && days.length > 0) {
    parts.push(isSet(dayOfMonth) ? `if it is a ${listed(days, 'or')}` : weekdays);
  }
  if (parts.length === 0) return null;
  return parts.length === 2 && isSet(weekOfMonth) ? parts.join(', if it is ') : parts.join(' ');
}

function timePart({ hour, minute }: RuleFields): string {
  if (isSet(hour))
    return isSet(minute) ? `at ${clock(hour, minute)}` : `every minute from ${clock(hour, 0)} to ${clock(hour, 59)}`;
  if (!isSet(minute)) return 'every minute';
  return minute === 0 ? 'every hour' : `every hour at minute ${minute}`;
}

function range({ start, end, intervalDays }: RuleFields): string {
  if (isSet(start) && start === end) return `, on ${date(start)} alone`;
  // An interval says itself from when it is counted.
  const from = isSet(start) && !(isSet(intervalDays) && intervalDays > 1) ? `, from ${date(start)}` : '';
  return `${from}${isSet(end) ? `${from === '' ? ', ' : ' '}until ${date(end)}` : ''}`;
}

/** `6 May 2015` of `2015-05-06`. */
function date(text: string): string {
  const [year, month, day] = text.split('-').map(Number);
  return `${day} ${MONTHS[(month ?? 1) - 1]} ${year}`;
}

function clock(hour: number, minute: number): string {
  return [hour, minute].map((part) => String(part).padStart(2, '0')).join(':');
}

function listed(items: readonly string[], word: 'and' | 'or'): string {
  if (items.length < 2) return items.join('');
  return `${items.slice(0, -1).join(', ')} ${word} ${items.at(-1)}`;
}
