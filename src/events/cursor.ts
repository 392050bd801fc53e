import { toMicroseconds } from '../database/timestamp.ts';
import { cursorExpired } from '../lib/faults.ts';

/** A place in the log: everything up to and including `seq`. */
export interface Position {
  seq: number;
  /**
   * Identifies the event at `seq`, since another history of the same log may have another event there: a restored disk
   * has the same identity. Null if there is no event to compare, or if an earlier version made the cursor.
   */
  mark: string | null;
}

/**
 * How far the log goes: positions above `floor` and up to `head` are all there; of those above `historyFloor` the events
 * that the old history shows. `mark` is that of the event at `head`.
 */
export interface LogHead {
  logId: string;
  head: number;
  mark: string | null;
  floor: number;
  historyFloor: number;
}

/** The log id and a position, optionally with a mark, and the task up to which a feed has sent its snapshot. */
const CURSOR = /^([0-9a-f-]{36})\.(\d{1,15})(?:\.([0-9a-f]{1,16}-[0-9a-f]{1,16}))?(?:\.(\d{1,10}))?$/;

/**
 * The mark of a stored event. The time alone would not tell events of one transaction apart; the id alone is given again
 * where a disk was put back. As `MARK` of `log.ts` makes it.
 */
export function markOf({ id, at }: { id: number; at: string }): string {
  return `${id.toString(16)}-${toMicroseconds(at).toString(16)}`;
}

/** An opaque position in the log: everything up to and including it has been seen. */
export function encodeCursor(logId: string, { seq, mark }: Position): string {
  return encode([logId, seq, mark]);
}

/** A position in the initial snapshot of a feed: tasks up to this one were sent, in this state or a later one. */
export function encodeSnapshotCursor(logId: string, { seq, mark }: Position, taskId: number): string {
  return encode([logId, seq, mark, taskId]);
}

function encode(parts: (string | number | null)[]): string {
  return Buffer.from(parts.filter((part) => part !== null).join('.')).toString('base64url');
}

/**
 * Where a feed continues: `taskId` is null once its snapshot was sent in full. Throws CURSOR_EXPIRED as decodeCursor
 * does.
 */
export function decodeFeedCursor(cursor: string, log: LogHead): { position: Position; taskId: number | null } {
  const [, logId, digits, mark = null, taskId] = CURSOR.exec(Buffer.from(cursor, 'base64url').toString()) ?? [];
  if (logId === undefined) throw cursorExpired(`"${cursor.slice(0, 80)}" is not a cursor of this event log`);
  const position = { seq: Number(digits), mark };
  checkLog(logId, position, log);
  checkNotRemoved(position.seq, log.floor);
  return { position, taskId: taskId === undefined ? null : Number(taskId) };
}

/**
 * The position of a cursor. Throws CURSOR_EXPIRED if the log cannot continue from it without a gap. `checkPositions`
 * checks whether its event is still the same one.
 */
export function decodeCursor(cursor: string, log: LogHead): Position {
  const { position, taskId } = decodeFeedCursor(cursor, log);
  if (taskId !== null) throw cursorExpired(`"${cursor.slice(0, 80)}" is not a cursor of this event log`);
  return position;
}

function checkLog(logId: string, { seq }: Position, log: LogHead): void {
  if (logId !== log.logId) throw cursorExpired('the cursor comes from another event log');
  if (seq > log.head) throw cursorExpired('the cursor is ahead of the event log');
}

/** Throws CURSOR_EXPIRED if events after the position may have been removed. */
export function checkNotRemoved(seq: number, floor: number): void {
  if (seq < floor) throw cursorExpired('events after the cursor have been removed by retention');
}

/** Throws CURSOR_EXPIRED if the event at the position is not the one that the cursor was made for. */
export function checkSame(position: Position, found: Position): void {
  if (areOfOtherHistories(position, found)) throw cursorExpired('the event log has another history since the cursor');
}

export function headOf({ head, mark }: LogHead): Position {
  return { seq: head, mark };
}

/** Whether the same position was seen with different events; unknown if an event was removed. */
export function areOfOtherHistories(left: Position, right: Position): boolean {
  return left.seq === right.seq && left.mark !== null && right.mark !== null && left.mark !== right.mark;
}

/** The one that is further on. */
export function laterOf(left: Position, right: Position): Position {
  return right.seq > left.seq ? right : left;
}
