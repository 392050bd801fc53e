import type { DstNote } from '../operations.ts';

/** What a daylight saving change does to a slot. */
export const DST_NOTES: Record<DstNote, string> = {
  SKIPPED_WALL_TIME: 'the clock skips this time; the slot fires right after',
  REPEATED_WALL_TIME: 'this time occurs twice; the slot fires the first time',
};
