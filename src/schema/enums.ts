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

export const RunStateEnum = describedEnum<RunState>('RunState', 'The state of a run.', {
  QUEUED: 'Waiting for a runner, for its next attempt or for an earlier run of its task.',
  RUNNING: 'An attempt is running.',
  SUCCEEDED: 'Finished successfully.',
  FAILED: 'The last attempt failed.',
  CANCELLED: 'Cancelled by a user or by a newer run of its task.',
  SKIPPED: 'The slot was not run; the skip reason says why.',
});

export const TriggerEnum = describedEnum<Trigger>('Trigger', 'Why a run exists.', {
  SCHEDULE: 'A slot was due.',
  MANUAL: 'A user requested the run.',
  RETRY: 'A user retried a finished run.',
  BACKFILL: 'A user requested a backfill of past slots.',
});

export const SkipReasonEnum = describedEnum<SkipReason>('SkipReason', 'Why a slot was not run.', {
  OVERLAP: 'An earlier run of the task was unfinished, and the overlap policy allows one run at a time.',
  MISSED: 'The slot was missed, and the catch-up policy does not run it.',
  TOO_OLD: 'The slot was missed and is older than the maximum catch-up age.',
  NO_RUNNER: 'No live runner has the task class.',
});

export const EventTypeEnum = describedEnum<EventType>('EventType', 'What happened.', {
  QUEUED: 'A run was created.',
  STARTED: 'An attempt began.',
  LOG: 'The task class wrote a log line.',
  PROGRESS: 'The task class reported progress.',
  RETRYING: 'An attempt failed and will be retried.',
  SUCCEEDED: 'The run succeeded.',
  FAILED: 'The run failed and will not be retried.',
  CANCELLED: 'The run was cancelled.',
  SKIPPED: 'A slot was not run.',
  TASK_ADDED: 'A user added the task.',
  TASK_UPDATED: 'A user updated the task.',
  TASK_PAUSED: 'A user paused the task.',
  TASK_RESUMED: 'A user resumed the task.',
  TASK_DELETED: 'A user deleted the task.',
  TASK_RESCHEDULED:
    'The next slot moved without a run. Either many consecutive slots were skipped (`data` has which, how many and why), or the slot was already recorded.',
});

export const OverlapPolicyEnum = describedEnum<OverlapPolicy>(
  'OverlapPolicy',
  'What happens when a slot is due while an earlier run of the task is unfinished.',
  {
    SKIP: 'The slot is skipped.',
    QUEUE: 'The slot waits for the earlier run; at most `queueLimit` runs wait.',
    ALLOW: 'Both run concurrently.',
    CANCEL_RUNNING: 'The earlier run is cancelled.',
  },
);

export const CatchUpPolicyEnum = describedEnum<CatchUpPolicy>(
  'CatchUpPolicy',
  'Which slots missed in an outage run afterwards; the others are recorded as skipped.',
  { LATEST: 'Only the newest missed slot.', ALL: 'Every missed slot.', NONE: 'No missed slot.' },
);

export const RoleEnum = describedEnum<Role>('Role', 'What a user may do.', {
  VIEWER: 'Reads.',
  OPERATOR: 'Reads; writes their own tasks, and DNS zones, DNS records and address blocks.',
  ADMIN: 'Full access.',
});

export const IpBlockStateEnum = describedEnum<IpBlockState>('IpBlockState', 'The state of an address block.', {
  AVAILABLE: 'Free to assign.',
  ASSIGNED: 'Used by its assignee.',
  HOLDING: 'In the holding tank after use, until its holding period ends.',
});

export const DnsRecordTypeEnum = describedEnum<DnsRecordType>(
  'DnsRecordType',
  'The type of a DNS record. The SOA record is built from the fields of the zone.',
  {
    A: 'An IPv4 address.',
    AAAA: 'An IPv6 address.',
    CAA: 'Which authority may issue certificates: `flags`, `tag` and `value`.',
    CNAME: 'The name that this one is an alias for. It must be the only record of its name.',
    MX: 'A mail host and its `priority`; the value `.` means no host.',
    NS: 'A name server: of the zone itself at the zone name, of a delegated zone below it.',
    PTR: 'The name for an address or a service.',
    SRV: 'A host that offers a service, with its `priority`, `weight` and `port`; the value `.` means no host.',
    TXT: 'Text or arbitrary bytes.',
  },
);

export const DstNoteEnum = describedEnum<DstNote>(
  'DstNote',
  'How a clock change (daylight saving time) affects a slot.',
  {
    SKIPPED_WALL_TIME: 'The local time does not exist on that day; the slot is the first instant after the gap.',
    REPEATED_WALL_TIME: 'The local time occurs twice on that day; the slot is the first occurrence.',
  },
);

export type OrderDirection = 'ASC' | 'DESC';
export const OrderDirectionEnum = describedEnum<OrderDirection>('OrderDirection', 'Sort direction.', {
  ASC: 'Ascending: smallest, earliest or alphabetically first comes first.',
  DESC: 'Descending: largest, latest or alphabetically last comes first.',
});
