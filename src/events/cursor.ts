import { cursorExpired } from '../errors.ts';

/**
 * How far the log goes: positions above `floor` and up to `head` are all there; of those above `historyFloor` the events
 * that the old history shows.
 */
export interface LogHead {
  logId: string;
  head: number;
  floor: number;
  historyFloor: number;
}

const CURSOR = /^([0-9a-f-]{36})\.(\d{1,15})$/;

/** An opaque position in the log: everything up to and including `seq` has been seen. */
export function encodeCursor(logId: string, seq: number): string {
  return Buffer.from(`${logId}.${seq}`).toString('base64url');
}

/** A position in the snapshot with which a feed begins: the tasks up to this one were told, as of `seq` or later. */
export function encodeSnapshotCursor(logId: string, seq: number, taskId: number): string {
  return Buffer.from(`${logId}.${seq}.${taskId}`).toString('base64url');
}

const SNAPSHOT_CURSOR = /^(.+\.\d{1,15})\.(\d{1,10})$/;

/** Where a feed goes on: `taskId` is null once its snapshot was told to the end. Throws CURSOR_EXPIRED as decodeCursor. */
export function decodeFeedCursor(cursor: string, log: LogHead): { seq: number; taskId: number | null } {
  const match = SNAPSHOT_CURSOR.exec(Buffer.from(cursor, 'base64url').toString());
  if (match === null) return { seq: decodeCursor(cursor, log), taskId: null };
  return { seq: decodeCursor(Buffer.from(match[1] ?? '').toString('base64url'), log), taskId: Number(match[2]) };
}

/** The seq that a cursor stands for; throws CURSOR_EXPIRED where the log cannot go on from it without a gap. */
export function decodeCursor(cursor: string, log: LogHead): number {
  const match = CURSOR.exec(Buffer.from(cursor, 'base64url').toString());
  if (match === null) throw cursorExpired(`"${cursor.slice(0, 80)}" is not a cursor of this event log`);
  const seq = Number(match[2]);
  if (match[1] !== log.logId) throw cursorExpired('the cursor comes from another event log');
  if (seq > log.head) throw cursorExpired('the cursor is ahead of the event log');
  checkNotRemoved(seq, log.floor);
  return seq;
}

/** Throws CURSOR_EXPIRED where events after the position may be gone. */
export function checkNotRemoved(seq: number, floor: number): void {
  if (seq < floor) throw cursorExpired('events after the cursor have been removed by retention');
}
