import type { RuleExclusion } from '../../calendar/rule-exclusion.ts';
import { explainSlot, type SlotExplanation, type SlotVerdict } from '../../ledger/explain.ts';
import { notFound } from '../../lib/faults.ts';
import { readGlobalId } from '../../lib/global-id.ts';
import { readMinute } from '../../lib/input.ts';
import { builder } from '../builder.ts';
import { describedEnum, SkipReasonEnum } from '../enums.ts';
import { formatLocal } from '../local-time.ts';
import { RunRef } from '../refs.ts';

const SlotVerdictEnum = describedEnum<SlotVerdict>('SlotVerdict', 'What happened at an instant of a task.', {
  RAN: 'A slot was due, and its run is finished: succeeded, failed or cancelled.',
  SKIPPED: 'A slot was due and was skipped; the skip reason says why.',
  PENDING: 'A slot is due, and its run is unfinished or about to be created.',
  WILL_BE_DUE: 'A slot will be due in the future.',
  NOT_DUE: 'No rule of the task matches the instant.',
  PAUSED: 'The task was paused then.',
  NO_TASK: 'The task did not exist then: not yet added, or already deleted.',
  REMOVED: 'Retention has removed the records of that time.',
  UNACCOUNTED: 'A slot was due and has no record. This is a bug in this product.',
});

const RuleExclusionRef = builder.objectRef<RuleExclusion & { rule: number }>('RuleExclusion').implement({
  description: 'Why a rule of a task does not match an instant.',
  fields: (t) => ({
    rule: t.exposeInt('rule', { description: 'The index, from 0, of the rule among those that the task had then.' }),
    field: t.exposeString('field', {
      nullable: true,
      description:
        'The first field that does not match; null if the local time is the second occurrence of a repeated one.',
    }),
    message: t.exposeString('message', { description: 'What the rule requires, and what the clock shows.' }),
  }),
});

const SlotExplanationRef = builder.objectRef<SlotExplanation>('SlotExplanation').implement({
  description: 'Why a task ran, did not run or will run at an instant.',
  fields: (t) => ({
    verdict: t.field({ type: SlotVerdictEnum, description: 'The verdict.', resolve: ({ verdict }) => verdict }),
    because: t.exposeString('because', { description: 'The explanation, in a sentence or two.' }),
    at: t.expose('at', { type: 'DateTime', description: 'The instant.' }),
    localTime: t.string({
      description:
        'The same instant in the time zone that the task had then, with its offset: `2026-03-01T09:30:00+01:00`.',
      resolve: ({ at, timeZone }) => formatLocal(at, timeZone),
    }),
    run: t.field({
      type: RunRef,
      nullable: true,
      description: 'The run of the slot; null if the slot has no record of its own.',
      resolve: ({ run }) => run,
    }),
    skipReason: t.field({
      type: SkipReasonEnum,
      nullable: true,
      description: 'Why the slot was skipped; null if it was not.',
      resolve: ({ skipReason }) => skipReason,
    }),
    gapCount: t.exposeInt('gapCount', {
      nullable: true,
      description:
        'How many slots share the record, if the slot is one of many that were skipped in a row; otherwise null.',
    }),
    exclusions: t.field({
      type: [RuleExclusionRef],
      description: 'If the instant is not due, why each rule does not match.',
      resolve: ({ exclusions }) => exclusions,
    }),
    lateSeconds: t.exposeFloat('lateSeconds', {
      nullable: true,
      description: 'Seconds from the slot to the start of its first attempt; null before that.',
    }),
  }),
});

builder.queryField('explainSlot', (t) =>
  t.field({
    type: SlotExplanationRef,
    description: 'Why a task ran, did not run or will run at an instant, in the past or the future.',
    complexity: 10,
    args: {
      task: t.arg.id({ required: true, description: 'The task; it may be deleted.' }),
      at: t.arg({ type: 'DateTime', required: true, description: 'The instant, a whole minute.' }),
    },
    resolve: async (_root, { task, at }, { em }) => {
      const id = readGlobalId('Task', task, 'task');
      const explanation = await explainSlot(em, id, readMinute(at, 'at'));
      if (explanation === null) throw notFound(`there is no task ${id}`, 'task');
      return explanation;
    },
  }),
);
