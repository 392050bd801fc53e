import type { DstNote } from '../operations.ts';

/** How a slot meets a change of the clock. */
export const DST_NOTES: Record<DstNote, string> = {
  SKIPPED_WALL_TIME: 'the clock skips that time; it fires right after',
  REPEATED_WALL_TIME: 'that time occurs twice; it fires the first time',
};
