import { sql } from 'kysely';
import { compileSchedule, type DstNote, findNeverDue, type RepeatRule } from '../../calendar/schedule.ts';
import { readRows } from '../../database/rows.ts';
import { toDate } from '../../database/timestamp.ts';
import { badInput, faultsWithinSync } from '../../lib/faults.ts';
import { readTimeZone } from '../../tasks/fields.ts';
import { readDraftRules, readRepeatItems } from '../../tasks/repeat-items.ts';
import { builder } from '../builder.ts';
import type { Context } from '../context.ts';
import { DstNoteEnum } from '../enums.ts';
import { formatLocal } from '../local-time.ts';
import { RepeatItemInput } from '../tasks/repeat-item.ts';

const DEFAULT_COUNT = 10;
const MAX_COUNT = 1_000;

interface PreviewSlot {
  at: Date;
  timeZone: string;
  dstNote: DstNote | null;
}

interface SchedulePreview {
  slots: PreviewSlot[];
  neverFires: string | null;
}

const PreviewSlotRef = builder.objectRef<PreviewSlot>('PreviewSlot').implement({
  description: 'A slot that a task with these rules would have.',
  fields: (t) => ({
    at: t.expose('at', { type: 'DateTime', description: 'The instant.' }),
    localTime: t.string({
      description: 'The same instant in the time zone, with its offset: `2026-03-01T09:30:00+01:00`.',
      resolve: ({ at, timeZone }) => formatLocal(at, timeZone),
    }),
    dstNote: t.expose('dstNote', {
      type: DstNoteEnum,
      nullable: true,
      description: 'How a clock change affects the slot; null if it does not.',
    }),
  }),
});

const SchedulePreviewRef = builder.objectRef<SchedulePreview>('SchedulePreview').implement({
  description: 'The slots that rules would give.',
  fields: (t) => ({
    slots: t.field({
      type: [PreviewSlotRef],
      description: 'The slots, earliest first.',
      resolve: ({ slots }) => slots,
    }),
    neverFires: t.exposeString('neverFires', {
      nullable: true,
      description: 'Why there is no slot; null if there is one.',
    }),
  }),
});

const ScheduleInput = builder.inputType('ScheduleInput', {
  description: 'Rules and a time zone, independent of any task.',
  fields: (t) => ({
    repeatItems: t.field({ type: [RepeatItemInput], required: true, description: 'The rules, at most 100.' }),
    timeZone: t.string({ description: 'The IANA time zone; by default that of the server.' }),
  }),
});

builder.queryField('previewSchedule', (t) =>
  t.field({
    type: SchedulePreviewRef,
    description:
      'When a task with these rules would be due. Rules that a task could not have are BAD_USER_INPUT, unless the only reason is that none of them can ever fire: `neverFires` then says why.',
    args: {
      input: t.arg({ type: ScheduleInput, required: true, description: 'The rules and their time zone.' }),
      from: t.arg({ type: 'DateTime', description: 'Slots at this instant or later; now by default.' }),
      count: t.arg.int({ required: true, defaultValue: DEFAULT_COUNT, description: 'Number of slots, 1 to 1000.' }),
    },
    complexity: ({ count }) => 1 + Math.min(Math.max(count, 0), MAX_COUNT),
    resolve: async (_root, { input, from, count }, context) => {
      if (count < 1 || count > MAX_COUNT) throw badInput('count', `must be 1 to ${MAX_COUNT}, got ${count}`);
      const { timeZone, rules, neverFires } = faultsWithinSync('input', () => readSchedule(input, context.timeZone));
      if (neverFires !== null) return { slots: [], neverFires };
      const schedule = compileSchedule(rules, timeZone);
      const start = from ?? (await readNow(context));
      const slots = schedule.slots(justBefore(start), null, count);
      return {
        slots: slots.map((at) => ({ at, timeZone, dstNote: schedule.dstNote(at) })),
        neverFires: slots.length > 0 ? null : explainNone(rules.length, start),
      };
    },
  }),
);

/** The rules and their zone. Where none of them can ever fire, `neverFires` says why; one alone of several is a fault. */
function readSchedule({ repeatItems, timeZone: given }: typeof ScheduleInput.$inferInput, timeZoneOfServer: string) {
  const timeZone = readTimeZone(given ?? timeZoneOfServer);
  const drafts = readDraftRules(repeatItems);
  const neverFires = explainNever(drafts, timeZone);
  return { timeZone, neverFires, rules: neverFires === null ? readRepeatItems(repeatItems, timeZone) : drafts };
}

/** Why none of the rules can ever fire; null where one can, or where there is none. */
function explainNever(rules: readonly RepeatRule[], timeZone: string): string | null {
  const faults = rules.map((rule) => findNeverDue(rule, timeZone));
  if (faults.length === 0 || faults.includes(null)) return null;
  return faults.map((fault, index) => `input.repeatItems.${index}.${fault?.field}: ${fault?.message}.`).join(' ');
}

/** The database's clock decides what is due. */
async function readNow({ em }: Context): Promise<Date> {
  const { rows } = await sql<{ now: string }>`select now()`.execute(readRows(em));
  const [row] = rows;
  if (row === undefined) throw new Error('the database did not say what time it is');
  return toDate(row.now);
}

/** The schedule looks for slots after an instant; a slot at `instant` itself belongs to the preview. */
function justBefore(instant: Date): Date {
  return new Date(instant.getTime() - 1);
}

function explainNone(rules: number, start: Date): string {
  if (rules === 0) return 'There are no repeat items: the task would run on request alone.';
  return `Every repeat item has ended before ${start.toISOString()}.`;
}
