// The enums, over the constants of the entities: a value without a description does not compile.

import type { DstNote } from '../calendar/schedule.ts';
import type { DnsRecordType } from '../entities/dns-record.ts';
import type { EventType } from '../entities/event.ts';
import type { IpBlockState } from '../entities/ip-block.ts';
import type { RunState, SkipReason, Trigger } from '../entities/run.ts';
import type { CatchUpPolicy, OverlapPolicy } from '../entities/task.ts';
import type { Role } from '../entities/user.ts';
import { builder } from './builder.ts';

/** An enum whose every value has a description. */
export function describedEnum<Value extends string>(name: string, description: string, values: Record<Value, string>) {
  const described = Object.entries<string>(values).map(([value, text]) => [value, { description: text }]);
  return builder.enumType(name, {
    description,
    values: Object.fromEntries(described) as Record<Value, { description: string }>,
  });
}

export const RunStateEnum = describedEnum<RunState>('RunState', 'How far a run is.', {
  QUEUED: 'Waits for a runner, for its next attempt or for an earlier run of its task.',
  RUNNING: 'An attempt is under way.',
  SUCCEEDED: 'Done.',
  FAILED: 'Its last attempt failed.',
  CANCELLED: 'Stopped by a user or by a newer run of its task.',
  SKIPPED: 'A slot that was not run, for its skip reason.',
});

export const TriggerEnum = describedEnum<Trigger>('Trigger', 'Why there is a run.', {
  SCHEDULE: 'The slot was due.',
  MANUAL: 'A user asked for it.',
  RETRY: 'A user asked for another try of a finished run.',
  BACKFILL: 'A user asked for slots of the past.',
});

export const SkipReasonEnum = describedEnum<SkipReason>('SkipReason', 'Why a slot was not run.', {
  OVERLAP: 'An earlier run of the task was not finished, and its overlap policy runs one at a time.',
  MISSED: 'It was not fired in time, and the catch-up policy leaves it out.',
  TOO_OLD: 'It was not fired in time and is older than the catch-up age.',
  NO_RUNNER: 'No live runner has the class of the task.',
});

export const EventTypeEnum = describedEnum<EventType>('EventType', 'What happened.', {
  QUEUED: 'A run was made.',
  STARTED: 'An attempt began.',
  LOG: 'The task class wrote a line.',
  PROGRESS: 'The task class said how far it is.',
  RETRYING: 'An attempt failed and another will follow.',
  SUCCEEDED: 'The run is done.',
  FAILED: 'The run failed for good.',
  CANCELLED: 'The run was cancelled.',
  SKIPPED: 'A slot was not run.',
  TASK_ADDED: 'A user added the task.',
  TASK_UPDATED: 'A user changed the task.',
  TASK_PAUSED: 'A user paused the task.',
  TASK_RESUMED: 'A user resumed the task.',
  TASK_DELETED: 'A user deleted the task.',
  TASK_RESCHEDULED:
    'Its next slot moved without a run: many slots in a row were skipped, of which `data` says which, how many and why, or the slot was on record already.',
});

export const OverlapPolicyEnum = describedEnum<OverlapPolicy>(
  'OverlapPolicy',
  'What happens when a slot comes while an earlier run of the task is not finished.',
  {
    SKIP: 'The slot is skipped.',
    QUEUE: 'The slot waits for the earlier run, up to the queue limit.',
    ALLOW: 'Both run at once.',
    CANCEL_RUNNING: 'The earlier run is cancelled.',
  },
);

export const CatchUpPolicyEnum = describedEnum<CatchUpPolicy>(
  'CatchUpPolicy',
  'Which of the slots missed in an outage are run afterwards; the others are recorded as skipped.',
  { LATEST: 'The newest alone.', ALL: 'Every one.', NONE: 'None.' },
);

export const RoleEnum = describedEnum<Role>('Role', 'What a user may do.', {
  VIEWER: 'Read.',
  OPERATOR: 'Read, and write their own tasks.',
  ADMIN: 'Everything.',
});

export const IpBlockStateEnum = describedEnum<IpBlockState>('IpBlockState', 'Where a block of addresses is.', {
  AVAILABLE: 'Free to assign.',
  ASSIGNED: 'In use by its assignee.',
  HOLDING: 'In the holding tank after use, until its holding days are over.',
});

export const DnsRecordTypeEnum = describedEnum<DnsRecordType>(
  'DnsRecordType',
  "What a record says. The SOA record is made of the zone's own fields.",
  {
    A: 'An IPv4 address.',
    AAAA: 'An IPv6 address.',
    CAA: 'Which authority may issue certificates: `flags`, `tag` and `value`.',
    CNAME: 'The name that this one is an alias of; the only record of its name.',
    MX: 'A host that takes mail, and its `priority`; the value `.` is for none.',
    NS: 'A name server: of the zone at its own name, of a delegated one below.',
    PTR: 'The name that belongs to an address, or to a service.',
    SRV: 'A host that has a service, with its `priority`, `weight` and `port`; the value `.` is for none.',
    TXT: 'Text, or any bytes.',
  },
);

export const DstNoteEnum = describedEnum<DstNote>('DstNote', 'How a slot meets a change of the clock.', {
  SKIPPED_WALL_TIME: 'The clock skips the time; the slot is the first instant after the gap.',
  REPEATED_WALL_TIME: 'The clock shows the time twice; the slot is the first of the two.',
});

export type OrderDirection = 'ASC' | 'DESC';
export const OrderDirectionEnum = describedEnum<OrderDirection>('OrderDirection', 'Which end of an order is first.', {
  ASC: 'The smallest, the earliest, the first of the alphabet.',
  DESC: 'The largest, the latest, the last of the alphabet.',
});
