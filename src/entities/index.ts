import type { InferKyselyDB } from '@mikro-orm/postgresql';
import { ApiKey, type ApiKeySchema } from './api-key.ts';
import { AuditEntry, type AuditEntrySchema } from './audit-entry.ts';
import { DnsRecord, type DnsRecordSchema } from './dns-record.ts';
import { DnsServer, type DnsServerSchema } from './dns-server.ts';
import { DnsServerZone, type DnsServerZoneSchema } from './dns-server-zone.ts';
import { DnsZone, type DnsZoneSchema } from './dns-zone.ts';
import { Event, type EventSchema } from './event.ts';
import { EventLog, type EventLogSchema } from './event-log.ts';
import { IdempotencyKey, type IdempotencyKeySchema } from './idempotency-key.ts';
import { ImportedLogEntry, type ImportedLogEntrySchema } from './imported-log-entry.ts';
import { Installation, type InstallationSchema } from './installation.ts';
import { IpBlock, type IpBlockSchema } from './ip-block.ts';
import { LegacyReply, type LegacyReplySchema } from './legacy-reply.ts';
import { LegacyUsage, type LegacyUsageSchema } from './legacy-usage.ts';
import { RegisteredClass, type RegisteredClassSchema } from './registered-class.ts';
import { RepeatItem, type RepeatItemSchema } from './repeat-item.ts';
import { Retention, type RetentionSchema } from './retention.ts';
import { Run, type RunSchema } from './run.ts';
import { Runner, type RunnerSchema } from './runner.ts';
import { ScheduleVersion, type ScheduleVersionSchema } from './schedule-version.ts';
import { Secret, type SecretSchema } from './secret.ts';
import { SlotGap, type SlotGapSchema } from './slot-gap.ts';
import { Task, type TaskSchema } from './task.ts';
import { User, type UserSchema } from './user.ts';

export {
  ApiKey,
  AuditEntry,
  DnsRecord,
  DnsServer,
  DnsServerZone,
  DnsZone,
  Event,
  EventLog,
  IdempotencyKey,
  ImportedLogEntry,
  Installation,
  IpBlock,
  LegacyReply,
  LegacyUsage,
  RegisteredClass,
  RepeatItem,
  Retention,
  Run,
  Runner,
  ScheduleVersion,
  Secret,
  SlotGap,
  Task,
  User,
};

/** Each after those that it refers to: a backup is restored in this order. */
export const entities = [
  User,
  ApiKey,
  AuditEntry,
  Task,
  RepeatItem,
  ScheduleVersion,
  Run,
  SlotGap,
  Event,
  EventLog,
  Runner,
  RegisteredClass,
  Retention,
  Installation,
  IpBlock,
  DnsZone,
  DnsRecord,
  DnsServer,
  DnsServerZone,
  IdempotencyKey,
  ImportedLogEntry,
  LegacyReply,
  LegacyUsage,
  Secret,
];

/** The tables as rows, for the reads and batches that go through Kysely: `em.getKysely<Tables>()`. */
export type Tables = InferKyselyDB<
  | typeof UserSchema
  | typeof ApiKeySchema
  | typeof AuditEntrySchema
  | typeof TaskSchema
  | typeof RepeatItemSchema
  | typeof ScheduleVersionSchema
  | typeof RunSchema
  | typeof SlotGapSchema
  | typeof EventSchema
  | typeof EventLogSchema
  | typeof RunnerSchema
  | typeof RegisteredClassSchema
  | typeof RetentionSchema
  | typeof InstallationSchema
  | typeof IpBlockSchema
  | typeof DnsZoneSchema
  | typeof DnsRecordSchema
  | typeof DnsServerSchema
  | typeof DnsServerZoneSchema
  | typeof IdempotencyKeySchema
  | typeof ImportedLogEntrySchema
  | typeof LegacyReplySchema
  | typeof LegacyUsageSchema
  | typeof SecretSchema
>;
