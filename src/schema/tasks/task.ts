import { toGlobalId } from '../../lib/global-id.ts';
import { builder } from '../builder.ts';
import { CatchUpPolicyEnum, OverlapPolicyEnum } from '../enums.ts';
import { RepeatItemRef, TaskRef, type TaskRow, UserRef } from '../refs.ts';
import { loadRepeatItems } from './repeat-item-rows.ts';

const RetryPolicyRef = builder.objectRef<TaskRow>('RetryPolicy').implement({
  description: 'How failed attempts are retried.',
  fields: (t) => ({
    attempts: t.exposeInt('retry_attempts', { description: 'Attempts a run may take, including the first.' }),
    delaySeconds: t.exposeInt('retry_delay_seconds', { description: 'Seconds before the second attempt.' }),
    backoff: t.float({
      description: 'Factor by which each further delay grows.',
      resolve: ({ retry_backoff }) => Number(retry_backoff),
    }),
    jitter: t.float({
      description: 'Up to this fraction of each delay is added to it at random.',
      resolve: ({ retry_jitter }) => Number(retry_jitter),
    }),
  }),
});

TaskRef.implement({
  description: 'A task: what to run, for whom and when.',
  interfaces: [builder.nodeInterfaceRef()],
  fields: (t) => ({
    id: t.id({ description: 'Global id, unique across all types.', resolve: ({ id }) => toGlobalId('Task', id) }),
    legacyId: t.exposeInt('id', { description: 'The id in the old API.' }),
    name: t.exposeString('name', { description: 'The name.' }),
    className: t.exposeString('class_name', { description: 'The name of the task class that does the work.' }),
    active: t.exposeBoolean('active', { description: 'false while the task is paused; it then has no slots.' }),
    data: t.field({
      type: 'JSON',
      nullable: true,
      description: 'Data for the task class, a JSON object.',
      resolve: ({ data }): unknown => (data === null ? null : JSON.parse(data)),
    }),
    dataText: t.exposeString('data', { nullable: true, description: '`data` as JSON text, exactly as sent.' }),
    owner: t.field({ type: UserRef, description: 'The owner of the task.', resolve: ({ owner_id }) => owner_id }),
    timeZone: t.exposeString('time_zone', { description: 'The IANA time zone of the task.' }),
    repeatItems: t.field({
      type: [RepeatItemRef],
      description: 'The rules for when the task is due, in id order. Without rules, it runs only on request.',
      // Most tasks have few.
      complexity: { field: 1, multiplier: 4 },
      resolve: ({ id, repeat_items }, _args, context) => repeat_items ?? loadRepeatItems(context, id),
    }),
    overlap: t.expose('overlap', {
      type: OverlapPolicyEnum,
      description: 'What happens when a slot is due while a run is unfinished.',
    }),
    queueLimit: t.exposeInt('queue_limit', { description: 'Runs that may wait under the overlap policy QUEUE.' }),
    catchUp: t.expose('catch_up', { type: CatchUpPolicyEnum, description: 'Which missed slots run.' }),
    misfireGraceSeconds: t.exposeInt('misfire_grace_seconds', {
      description: 'Seconds after which a late slot counts as missed.',
    }),
    catchUpMaxAgeSeconds: t.exposeInt('catch_up_max_age_seconds', {
      nullable: true,
      description: 'Missed slots older than this many seconds never run; null for no limit.',
    }),
    retry: t.field({
      type: RetryPolicyRef,
      description: 'How failed attempts are retried.',
      resolve: (task) => task,
    }),
    timeoutSeconds: t.exposeInt('timeout_seconds', { description: 'Seconds an attempt may take.' }),
    nextRunAt: t.expose('next_run_at', {
      type: 'DateTime',
      nullable: true,
      description: 'The next slot; null if there is none.',
    }),
    lastRunAt: t.expose('last_run_at', {
      type: 'DateTime',
      nullable: true,
      description: 'When a run last succeeded; null before the first success.',
    }),
    version: t.exposeInt('version', {
      description: 'Number that grows with each edit by a user; pass it as `expectedVersion`.',
    }),
    createdAt: t.expose('created_at', { type: 'DateTime', description: 'When the task was added.' }),
    updatedAt: t.expose('updated_at', { type: 'DateTime', description: 'When a user last edited the task.' }),
    deletedAt: t.expose('deleted_at', {
      type: 'DateTime',
      nullable: true,
      description: 'When the task was deleted; null if it was not. Its history and ids are kept.',
    }),
  }),
});
