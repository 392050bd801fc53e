import type { SkipReason } from '../entities/run.ts';

/** Why a slot was skipped, in a sentence. */
export const SKIP_MESSAGES: Record<SkipReason, string> = {
  OVERLAP: 'Skipped: an earlier run of the task was not finished.',
  MISSED: 'Skipped: the slot was not fired in time, and the catch-up policy leaves it out.',
  TOO_OLD: 'Skipped: the slot was not fired in time and is older than the catch-up age.',
  NO_RUNNER: 'Skipped: no live runner has the class of the task.',
};
