// The states of a slot, as the timeline shows them.
import type { SkipReason, SlotLoadQuery, SlotState } from '../operations.ts';

export type Load = SlotLoadQuery['slotLoad'];
export type Bucket = Load['buckets'][number];
type Field = Exclude<keyof Bucket, 'at' | 'busiest'>;

/** From the bottom of a bar upwards. Problems are at the bottom, where their sizes are easiest to compare. */
export const STATES: readonly { field: Field; state: SlotState; name: string }[] = [
  { field: 'failed', state: 'FAILED', name: 'Failed' },
  { field: 'skipped', state: 'SKIPPED', name: 'Skipped' },
  { field: 'cancelled', state: 'CANCELLED', name: 'Cancelled' },
  { field: 'succeeded', state: 'SUCCEEDED', name: 'Succeeded' },
  { field: 'running', state: 'RUNNING', name: 'Running' },
  { field: 'queued', state: 'QUEUED', name: 'Waiting' },
  { field: 'planned', state: 'PLANNED', name: 'Planned' },
];

export const NAMES = Object.fromEntries(STATES.map(({ state, name }) => [state, name])) as Record<SlotState, string>;

export const SKIP_REASONS: Record<SkipReason, string> = {
  OVERLAP: 'an earlier run was unfinished',
  MISSED: 'missed',
  TOO_OLD: 'too old to catch up',
  NO_RUNNER: 'no runner had its class',
};

export function totalOf(bucket: Bucket): number {
  return STATES.reduce((total, { field }) => total + bucket[field], 0);
}

export function countOf(buckets: readonly Bucket[], field: Field): number {
  return buckets.reduce((total, bucket) => total + bucket[field], 0);
}

const COUNT = new Intl.NumberFormat();
export const formatCount = (count: number) => COUNT.format(count);

/** `3 failed, 12 planned`. */
export function inWords(bucket: Bucket): string {
  const parts = STATES.filter(({ field }) => bucket[field] > 0);
  return parts.map(({ field, name }) => `${formatCount(bucket[field])} ${name.toLowerCase()}`).join(', ');
}
