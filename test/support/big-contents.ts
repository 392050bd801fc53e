// A database as it is after years: every table that grows has so many rows that reading it from end to end would show.
import { addDailyTasks } from './daily-tasks.ts';
import type { TestDatabase } from './database.ts';
import { rows } from './races.ts';

export const TASKS = 10_000;

/** Tables that grow with use; those left out have a row, or one for each thing that somebody sets up by hand. */
export const GROWING: ReadonlySet<string> = new Set([
  'api_key',
  'app_user',
  'audit_entry',
  'dns_record',
  'dns_server_zone',
  'dns_zone',
  'event',
  'idempotency_key',
  'imported_log',
  'ip_block',
  'job_common',
  'legacy_reply',
  'legacy_usage',
  'repeat_item',
  'run',
  'schedule_version',
  'secret',
  'slot_gap',
  'task',
]);

/** Past runs are older than any lateness that is looked at, and younger than the retention, but for those of task 1. */
const FILL = [
  `insert into app_user (name, role) select 'user ' || n, 'OPERATOR' from generate_series(1, 10000) as n`,
  `insert into api_key (key, sealed_secret, user_id, revoked_at)
   select 'key ' || id, (select min(sealed_secret) from api_key), id, case when id % 50 = 0 then now() end from app_user where name <> 'admin'`,
  `update app_user set disabled_at = now() where id % 100 = 0`,
  `insert into audit_entry (actor_id, origin, action, target)
   select id, '203.0.113.' || id % 256, case id % 2 when 0 then 'updateUser' else 'setSecret' end, name from app_user`,
  `insert into legacy_usage (api_key_id, action, calls, last_called_at)
   select id, 'getTasks', id, now() - id * interval '1 minute' from api_key`,
  `insert into secret (name, sealed_value, allowed_hosts, updated_by_id)
   select 'secret ' || n, '\\x00', '{example.com}', 1 from generate_series(1, 10000) as n`,
  `insert into repeat_item (task_id, hour, minute)
   select id, n, id % 60 from task, generate_series(1, 3) as n order by id`,
  `insert into schedule_version (task_id, rules, time_zone, active, valid_from, valid_to)
   select id, '[]', 'UTC', true, now() - interval '40 days', now() - interval '30 days'
   from task, generate_series(1, 2) as n`,
  `update schedule_version set valid_from = now() - interval '30 days' where valid_to is null`,
  `update task set owner_id = (select min(id) + task.id % 10000 from app_user) where id > 100`,
  `update task set class_name = 'class ' || id % 40 where id > 2000 and id % 4 = 0`,
  `update task set deleted_at = now(), next_run_at = null, following_run_at = null, following_of = null
   where id % 50 = 0`,
  `update task set active = false, next_run_at = null, following_run_at = null, following_of = null where id % 11 = 0`,
  `insert into run (task_id, slot, trigger, state, skip_reason, actor_id, attempt, queued_at, started_at, finished_at, message)
   select id, slot, 'SCHEDULE', state, case when state = 'SKIPPED' then 'MISSED' end, owner_id, 1, slot, slot, slot, 'Done.'
   from (
     select task.*, its.slot, case (task.id + days) % 100 when 0 then 'FAILED' when 1 then 'SKIPPED' when 2 then 'CANCELLED'
       else 'SUCCEEDED' end as state
     from task, generate_series(3, 12) as days, lateral (select next_run_at - days * interval '1 day' as slot) as its
     where next_run_at is not null
   ) as past order by slot`,
  `insert into run (task_id, trigger, state, actor_id, attempt, queued_at, started_at, finished_at, message, retry_of_id)
   select task_id, case when id % 2 = 0 then 'MANUAL' else 'RETRY' end, 'SUCCEEDED', 1, 1, slot, slot, slot, 'Done.',
     case when id % 2 = 1 then id end
   from run where id % 20 < 2`,
  `insert into event (seq, at, type, message, task_id, task_name, run_id, run_state, attempt, actor_id)
   select row_number() over (order by queued_at, id, type), queued_at, type, 'text', task_id, 'Task ' || task_id, id, state, 1,
     actor_id
   from run, unnest('{QUEUED,STARTED,SUCCEEDED}'::text[]) as type`,
  `insert into event (seq, at, type, task_id, task_name, actor_id)
   select (select max(seq) from event) + row_number() over (order by id), now() - interval '2 days', 'TASK_ADDED', id, name,
     owner_id
   from task`,
  `update event_log set head = (select max(seq) from event)`,
  `update task set last_run_at = next_run_at - interval '3 days'`,
  `insert into slot_gap (task_id, from_slot, to_slot, reason, count)
   select id, now() - interval '20 days', now() - interval '19 days', 'MISSED', 20 from task`,
  `insert into imported_log (task_id, id, at, message)
   select id, id * 100 + n, now() - n * interval '30 days', 'Done.' from task, generate_series(1, 10) as n`,
  `insert into idempotency_key (user_id, key, fingerprint, result_id)
   select 1, 'call ' || n, '\\x00', n from generate_series(1, 50000) as n`,
  `insert into legacy_reply (user_id, key, fingerprint, reply)
   select 1, 'call ' || n, '\\x00', '{}' from generate_series(1, 10000) as n`,
  `insert into ip_block (pool, cidr, state, assignee, held_at)
   select 'default', set_masklen('10.0.0.0'::inet + n * 256, 24)::cidr,
     case when n % 100 = 0 then 'HOLDING' when n % 3 = 0 then 'ASSIGNED' else 'AVAILABLE' end,
     case when n % 3 = 0 and n % 100 <> 0 then 'customer' end, case when n % 100 = 0 then now() end
   from generate_series(0, 20000) as n`,
  `insert into dns_zone (name, primary_server, contact, refresh, retry, expire, minimum, default_ttl, serial)
   select 'zone' || n || '.example', 'ns1', 'a@example.com', 3600, 600, 86400, 60, 3600, n
   from generate_series(1, 10000) as n`,
  `insert into dns_record (zone_id, name, type, data)
   select id, 'host' || n, 'A', '{"value":"192.0.2.1"}' from dns_zone, generate_series(1, 3) as n`,
  `insert into dns_server (name, enabled) select 'server ' || n, false from generate_series(1, 3) as n`,
  `insert into dns_server_zone (server_id, zone_id, serial, pushed_at, error, failed_at)
   select dns_server.id, dns_zone.id, 1, now(), case when dns_zone.id % 100 = 0 then 'refused' end,
     case when dns_zone.id % 100 = 0 then now() end
   from dns_server, dns_zone`,
  `insert into pgboss.job (name, state, created_on, started_on, completed_on, data, deletion_seconds)
   select 'attempt', 'completed', at, at, at, '{}', 864000
   from generate_series(1, 100000) as n, lateral (select now() - n * interval '1 second' as at) as its`,
];

/** Fills an installation that has been started once, and has the server count what is there. */
export async function fillDatabase(database: TestDatabase): Promise<void> {
  await addDailyTasks(database, TASKS);
  for (const text of FILL) await rows(database.orm.em, text);
  await rows(database.orm.em, 'vacuum analyze');
}
