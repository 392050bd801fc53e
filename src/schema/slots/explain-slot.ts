import type { RuleExclusion } from '../../calendar/rule-exclusion.ts';
import { explainSlot, type SlotExplanation, type SlotVerdict } from '../../ledger/explain.ts';
import { notFound } from '../../lib/faults.ts';
import { readGlobalId } from '../../lib/global-id.ts';
import { readMinute } from '../../lib/input.ts';
import { builder } from '../builder.ts';
import { describedEnum, SkipReasonEnum } from '../enums.ts';
import { formatLocal } from '../local-time.ts';
import { RunRef } from '../refs.ts';

const SlotVerdictEnum = describedEnum<SlotVerdict>('SlotVerdict', 'What became of an instant of a task.', {
  RAN: 'It was due, and its run is finished: succeeded, failed or cancelled.',
  SKIPPED: 'It was due and did not run, for the skip reason.',
  PENDING: 'It is due, and its run is not finished, or about to be made.',
  WILL_BE_DUE: 'It is to come.',
  NOT_DUE: 'No rule of the task has it.',
  PAUSED: 'The task was paused then.',
  NO_TASK: 'There was no such task then: not yet, or no more.',
  REMOVED: 'It is so long ago that its record has been removed.',
  UNACCOUNTED: 'It was due and has no record. That is a fault of ours.',
});

const RuleExclusionRef = builder.objectRef<RuleExclusion & { rule: number }>('RuleExclusion').implement({
  description: 'Why a rule of a task is not due at an instant.',
  fields: (t) => ({
    rule: t.exposeInt('rule', { description: 'The position of the rule among those that the task had then, from 0.' }),
    field: t.exposeString('field', {
      nullable: true,
      description: 'The first field that does not fit; null where the clock shows a time for the second time.',
    }),
    message: t.exposeString('message', { description: 'What the rule has and what the clock shows.' }),
  }),
});

const SlotExplanationRef = builder.objectRef<SlotExplanation>('SlotExplanation').implement({
  description: 'Why a task ran, did not run or will run at an instant.',
  fields: (t) => ({
    verdict: t.field({ type: SlotVerdictEnum, description: 'In a word.', resolve: ({ verdict }) => verdict }),
    because: t.exposeString('because', { description: 'In a sentence or two.' }),
    at: t.expose('at', { type: 'DateTime', description: 'The instant.' }),
    localTime: t.string({
      description: 'The same on the clock that the task had then: `2026-03-01T09:30:00+01:00`.',
      resolve: ({ at, timeZone }) => formatLocal(at, timeZone),
    }),
    run: t.field({
      type: RunRef,
      nullable: true,
      description: 'The record of the slot, where it has one of its own.',
      resolve: ({ run }) => run,
    }),
    skipReason: t.field({
      type: SkipReasonEnum,
      nullable: true,
      description: 'Why it was skipped, if it was.',
      resolve: ({ skipReason }) => skipReason,
    }),
    gapCount: t.exposeInt('gapCount', {
      nullable: true,
      description: 'How many slots share its record, where it is one of many that were skipped in a row.',
    }),
    exclusions: t.field({
      type: [RuleExclusionRef],
      description: 'For an instant that is not due: why not, for each rule.',
      resolve: ({ exclusions }) => exclusions,
    }),
    lateSeconds: t.exposeFloat('lateSeconds', {
      nullable: true,
      description: 'From the slot to the beginning of its first attempt, once that has begun.',
    }),
  }),
});

builder.queryField('explainSlot', (t) =>
  t.field({
    type: SlotExplanationRef,
    description: 'Why a task ran, did not run or will run at an instant, past or to come.',
    complexity: 10,
    args: {
      task: t.arg.id({ required: true, description: 'Which task; one that was deleted too.' }),
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
