import type { RenderedZone } from './zone-folder.ts';

/** A zone on its way to one server. */
export interface PendingZone {
  readonly zone: RenderedZone;
  /** The serial that the server answered before the push; null if it did not serve the zone. */
  readonly before: number | null;
  /** The serial that it answered last. */
  answered: number | null;
  /** Whether this push changed its file. */
  written: boolean;
  /** The error of its load command. */
  commandFault: string | null;
  /** Why it is not loaded. */
  fault: string | null;
}

/** Not served yet as it is to be. */
export function isOpen({ answered, zone }: PendingZone): boolean {
  return answered !== zone.serial;
}

/** A server that serves the serial has the file, unless the file was changed beneath it under the same serial. */
export function needsLoad(pending: PendingZone): boolean {
  const { before, written, fault } = pending;
  return fault === null && (isOpen(pending) || (written && before !== null));
}
