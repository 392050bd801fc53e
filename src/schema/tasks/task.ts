import { toGlobalId } from '../../lib/global-id.ts';
import { builder } from '../builder.ts';
import { CatchUpPolicyEnum, OverlapPolicyEnum } from '../enums.ts';
import { RepeatItemRef, TaskRef, type TaskRow, UserRef } from '../refs.ts';
import { loadRepeatItems } from './repeat-item-rows.ts';

const RetryPolicyRef = builder.objectRef<TaskRow>('RetryPolicy').implement({
  description: 'How a failed attempt is tried again.',
  fields: (t) => ({
    attempts: t.exposeInt('retry_attempts', { description: 'Tries of one run, the first included.' }),
    delaySeconds: t.exposeInt('retry_delay_seconds', { description: 'Seconds before the second try.' }),
    backoff: t.float({
      description: 'Each further delay is this many times the one before.',
      resolve: ({ retry_backoff }) => Number(retry_backoff),
    }),
    jitter: t.float({
      description: 'Up to this part of a delay is added to it at random.',
      resolve: ({ retry_jitter }) => Number(retry_jitter),
    }),
  }),
});

TaskRef.implement({
  description: 'What to do, for whom and when.',
  interfaces: [builder.nodeInterfaceRef()],
  fields: (t) => ({
    id: t.id({ description: 'Unique among all types.', resolve: ({ id }) => toGlobalId('Task', id) }),
    legacyId: t.exposeInt('id', { description: 'The id in the old API.' }),
    name: t.exposeString('name', { description: 'What users call it.' }),
    className: t.exposeString('class_name', { description: 'The task class that does the work.' }),
    active: t.exposeBoolean('active', { description: 'false while it is paused: it then expects no slot.' }),
    data: t.field({
      type: 'JSON',
      nullable: true,
      description: 'The object handed to the task class.',
      resolve: ({ data }): unknown => (data === null ? null : JSON.parse(data)),
    }),
    dataText: t.exposeString('data', { nullable: true, description: '`data` as its sender wrote it.' }),
    owner: t.field({ type: UserRef, description: 'Whose task it is.', resolve: ({ owner_id }) => owner_id }),
    timeZone: t.exposeString('time_zone', { description: 'The IANA zone of its clock.' }),
    repeatItems: t.field({
      type: [RepeatItemRef],
      description: 'The rules that say when it is due, in id order; without any it runs on request alone.',
      // Most tasks have few.
      complexity: { field: 1, multiplier: 4 },
      resolve: ({ id, repeat_items }, _args, context) => repeat_items ?? loadRepeatItems(context, id),
    }),
    overlap: t.expose('overlap', { type: OverlapPolicyEnum, description: 'What a slot does to an unfinished run.' }),
    queueLimit: t.exposeInt('queue_limit', { description: 'How many runs may wait under the overlap policy QUEUE.' }),
    catchUp: t.expose('catch_up', { type: CatchUpPolicyEnum, description: 'Which missed slots are run.' }),
    misfireGraceSeconds: t.exposeInt('misfire_grace_seconds', {
      description: 'A slot is missed once it is so many seconds late.',
    }),
    catchUpMaxAgeSeconds: t.exposeInt('catch_up_max_age_seconds', {
      nullable: true,
      description: 'A missed slot older than so many seconds is never run; null for no bound.',
    }),
    retry: t.field({
      type: RetryPolicyRef,
      description: 'How a failed attempt is tried again.',
      resolve: (task) => task,
    }),
    timeoutSeconds: t.exposeInt('timeout_seconds', { description: 'Seconds that one attempt may take.' }),
    nextRunAt: t.expose('next_run_at', {
      type: 'DateTime',
      nullable: true,
      description: 'The next slot; null when it expects none.',
    }),
    lastRunAt: t.expose('last_run_at', {
      type: 'DateTime',
      nullable: true,
      description: 'When a run of it last succeeded; null before the first.',
    }),
    version: t.exposeInt('version', { description: 'Counts the edits by users; give it back as `expectedVersion`.' }),
    createdAt: t.expose('created_at', { type: 'DateTime', description: 'When it was added.' }),
    updatedAt: t.expose('updated_at', { type: 'DateTime', description: 'When a user last edited it.' }),
    deletedAt: t.expose('deleted_at', {
      type: 'DateTime',
      nullable: true,
      description: 'When it was deleted; its history and its ids stay.',
    }),
  }),
});
