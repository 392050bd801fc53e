import { Migration } from '@mikro-orm/migrations';

export class Migration20261123232816 extends Migration {
  override name = 'Migration20261123232816';

  override up(): void | Promise<void> {
    this.addSql(
      `create table "event_log" ("id" int not null, "log_id" uuid not null, "head" bigint not null default '0', "floor" bigint not null default '0', "system_identifier" text not null, "timeline" int not null, primary key ("id"));`,
    );
    this.addSql(`alter table "event_log" add constraint "event_log_single" check (id = 1);`);
    this.addSql(`alter table "event_log" add constraint "event_log_order" check (floor >= 0 and head >= floor);`);

    this.addSql(
      `create table "ip_block" ("id" serial primary key, "pool" text not null, "cidr" cidr not null, "family" smallint generated always as (family(cidr)) stored not null, "state" text not null default 'AVAILABLE', "assignee" text null, "held_at" timestamptz null, "created_at" timestamptz not null default now());`,
    );
    this.addSql(`create index "ip_block_by_pool" on "ip_block" ("pool", "id");`);
    this.addSql(`create index "ip_block_holding" on "ip_block" ("held_at") where state = 'HOLDING';`);
    this.addSql(
      `alter table "ip_block" add constraint "ip_block_pool_length" check (char_length(pool) between 1 and 255);`,
    );
    this.addSql(
      `alter table "ip_block" add constraint "ip_block_assigned" check ((state = 'ASSIGNED') = (assignee is not null));`,
    );
    this.addSql(
      `alter table "ip_block" add constraint "ip_block_held" check ((state = 'HOLDING') = (held_at is not null));`,
    );
    this.addSql(
      `alter table "ip_block" add constraint "ip_block_state_check" check ("state" in ('AVAILABLE', 'ASSIGNED', 'HOLDING'));`,
    );

    this.addSql(
      `create table "app_user" ("id" serial primary key, "name" text not null, "role" text not null, "created_at" timestamptz not null default now());`,
    );
    this.addSql(`alter table "app_user" add constraint "app_user_name_unique" unique ("name");`);
    this.addSql(
      `alter table "app_user" add constraint "app_user_name_length" check (char_length(name) between 1 and 255);`,
    );
    this.addSql(
      `alter table "app_user" add constraint "app_user_role_check" check ("role" in ('VIEWER', 'OPERATOR', 'ADMIN'));`,
    );

    this.addSql(
      `create table "task" ("id" serial primary key, "name" text not null, "class_name" text not null, "active" boolean not null, "data" text null, "owner_id" int not null, "time_zone" text not null, "overlap" text not null default 'SKIP', "queue_limit" int not null default 100, "catch_up" text not null default 'LATEST', "misfire_grace_seconds" int not null default 60, "catch_up_max_age_seconds" int null, "retry_attempts" int not null default 1, "retry_delay_seconds" int not null default 30, "retry_backoff" double precision not null default 2, "timeout_seconds" int not null default 900, "next_run_at" timestamptz null, "following_run_at" timestamptz null, "following_of" timestamptz null, "last_run_at" timestamptz null, "version" int not null default 1, "created_at" timestamptz not null, "updated_at" timestamptz not null, "deleted_at" timestamptz null);`,
    );
    this.addSql(`create index "task_owner_id_index" on "task" ("owner_id");`);
    this.addSql(`create index "task_due" on "task" ("next_run_at") where next_run_at is not null;`);
    this.addSql(
      `create index "task_following" on "task" ("id") where next_run_at is not null and following_of is distinct from next_run_at;`,
    );
    this.addSql(`create index "task_live" on "task" ("id") where deleted_at is null;`);
    this.addSql(`create index "task_by_name" on "task" ("name", "id") where deleted_at is null;`);
    this.addSql(`create index "task_by_last_run" on "task" ("last_run_at", "id") where deleted_at is null;`);
    this.addSql(`alter table "task" add constraint "task_name_length" check (char_length(name) between 1 and 255);`);
    this.addSql(`alter table "task" add constraint "task_data_object" check (json_typeof(data::json) = 'object');`);
    this.addSql(`alter table "task" add constraint "task_queue_limit" check (queue_limit between 1 and 10000);`);
    this.addSql(
      `alter table "task" add constraint "task_misfire_grace" check (misfire_grace_seconds between 1 and 86400);`,
    );
    this.addSql(`alter table "task" add constraint "task_catch_up_max_age" check (catch_up_max_age_seconds >= 0);`);
    this.addSql(
      `alter table "task" add constraint "task_retry" check (retry_attempts between 1 and 100 and retry_delay_seconds between 0 and 86400);`,
    );
    this.addSql(`alter table "task" add constraint "task_retry_backoff" check (retry_backoff between 1 and 10);`);
    this.addSql(`alter table "task" add constraint "task_timeout" check (timeout_seconds between 1 and 82800);`);
    this.addSql(
      `alter table "task" add constraint "task_expects_nothing" check ((active and deleted_at is null) or next_run_at is null);`,
    );
    this.addSql(
      `alter table "task" add constraint "task_whole_minute" check (next_run_at = date_trunc('minute', next_run_at, 'UTC'));`,
    );
    this.addSql(
      `alter table "task" add constraint "task_overlap_check" check ("overlap" in ('SKIP', 'QUEUE', 'ALLOW', 'CANCEL_RUNNING'));`,
    );
    this.addSql(
      `alter table "task" add constraint "task_catch_up_check" check ("catch_up" in ('LATEST', 'ALL', 'NONE'));`,
    );

    this.addSql(
      `create table "slot_gap" ("id" bigserial primary key, "task_id" int not null, "from_slot" timestamptz not null, "to_slot" timestamptz not null, "reason" text not null, "count" int not null, "recorded_at" timestamptz not null default now());`,
    );
    this.addSql(`alter table "slot_gap" add constraint "slot_gap_once" unique ("task_id", "from_slot");`);
    this.addSql(`alter table "slot_gap" add constraint "slot_gap_order" check (to_slot >= from_slot);`);
    this.addSql(`alter table "slot_gap" add constraint "slot_gap_count" check (count > 0);`);
    this.addSql(
      `alter table "slot_gap" add constraint "slot_gap_reason_check" check ("reason" in ('OVERLAP', 'MISSED', 'TOO_OLD', 'NO_RUNNER'));`,
    );

    this.addSql(
      `create table "schedule_version" ("id" serial primary key, "task_id" int not null, "rules" jsonb not null, "time_zone" text not null, "active" boolean not null, "valid_from" timestamptz not null, "valid_to" timestamptz null);`,
    );
    this.addSql(`create index "schedule_version_task_from" on "schedule_version" ("task_id", "valid_from");`);
    this.addSql(
      `create unique index "schedule_version_current" on "schedule_version" ("task_id") where valid_to is null;`,
    );
    this.addSql(
      `alter table "schedule_version" add constraint "schedule_version_order" check (valid_to >= valid_from);`,
    );

    this.addSql(
      `create table "repeat_item" ("id" serial primary key, "task_id" int not null, "start_date" date null, "end_date" date null, "interval_days" int null, "year" int null, "month" int null, "day_of_month" int null, "week_of_month" int null, "day_of_week" int null, "hour" int null, "minute" int null);`,
    );
    this.addSql(`create index "repeat_item_task_id_index" on "repeat_item" ("task_id");`);
    this.addSql(`alter table "repeat_item" add constraint "repeat_item_dates" check (end_date >= start_date);`);
    this.addSql(
      `alter table "repeat_item" add constraint "repeat_item_interval" check (interval_days is null or start_date is not null);`,
    );
    this.addSql(
      `alter table "repeat_item" add constraint "repeat_item_interval_days" check (interval_days between 1 and 36500);`,
    );
    this.addSql(`alter table "repeat_item" add constraint "repeat_item_year" check (year between 1000 and 9999);`);
    this.addSql(`alter table "repeat_item" add constraint "repeat_item_month" check (month between 1 and 12);`);
    this.addSql(
      `alter table "repeat_item" add constraint "repeat_item_day_of_month" check (day_of_month between 1 and 31);`,
    );
    this.addSql(
      `alter table "repeat_item" add constraint "repeat_item_week_of_month" check (week_of_month between 1 and 5);`,
    );
    this.addSql(
      `alter table "repeat_item" add constraint "repeat_item_day_of_week" check (day_of_week between 0 and 6);`,
    );
    this.addSql(`alter table "repeat_item" add constraint "repeat_item_hour" check (hour between 0 and 23);`);
    this.addSql(`alter table "repeat_item" add constraint "repeat_item_minute" check (minute between 0 and 59);`);

    this.addSql(
      `create table "run" ("id" bigserial primary key, "task_id" int not null, "slot" timestamptz null, "trigger" text not null, "state" text not null, "skip_reason" text null, "retry_of_id" bigint null, "actor_id" int not null, "data" text null, "attempt" int not null default 0, "job_id" uuid null, "next_attempt_at" timestamptz null, "queued_at" timestamptz not null, "started_at" timestamptz null, "finished_at" timestamptz null, "message" text null, "progress" double precision null, "cancel_requested_at" timestamptz null);`,
    );
    this.addSql(`create index "run_retry_of_id_index" on "run" ("retry_of_id");`);
    this.addSql(`create index "run_actor_id_index" on "run" ("actor_id");`);
    this.addSql(`create index "run_by_task" on "run" ("task_id", "id");`);
    this.addSql(`create index "run_by_state" on "run" ("state", "id");`);
    this.addSql(`create index "run_delayed" on "run" ("next_attempt_at") where next_attempt_at is not null;`);
    this.addSql(`create index "run_open" on "run" ("task_id", "id") where state in ('QUEUED', 'RUNNING');`);
    this.addSql(`create unique index "run_ledger" on "run" ("task_id", "slot") where trigger = 'SCHEDULE';`);
    this.addSql(`create unique index "run_job_id" on "run" ("job_id") where job_id is not null;`);
    this.addSql(
      `alter table "run" add constraint "run_skip_reason" check ((state = 'SKIPPED') = (skip_reason is not null));`,
    );
    this.addSql(
      `alter table "run" add constraint "run_finished" check ((state in ('SUCCEEDED', 'FAILED', 'CANCELLED', 'SKIPPED')) = (finished_at is not null));`,
    );
    this.addSql(`alter table "run" add constraint "run_job" check (job_id is null or state in ('QUEUED', 'RUNNING'));`);
    this.addSql(
      `alter table "run" add constraint "run_delayed_queued" check (next_attempt_at is null or (state = 'QUEUED' and job_id is not null));`,
    );
    this.addSql(
      `alter table "run" add constraint "run_running" check (state <> 'RUNNING' or (job_id is not null and started_at is not null));`,
    );
    this.addSql(
      `alter table "run" add constraint "run_slot" check ((trigger in ('SCHEDULE', 'BACKFILL')) <= (slot is not null));`,
    );
    this.addSql(`alter table "run" add constraint "run_slot_minute" check (slot = date_trunc('minute', slot, 'UTC'));`);
    this.addSql(`alter table "run" add constraint "run_progress" check (progress between 0 and 1);`);
    this.addSql(
      `alter table "run" add constraint "run_trigger_check" check ("trigger" in ('SCHEDULE', 'MANUAL', 'RETRY', 'BACKFILL'));`,
    );
    this.addSql(
      `alter table "run" add constraint "run_state_check" check ("state" in ('QUEUED', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELLED', 'SKIPPED'));`,
    );
    this.addSql(
      `alter table "run" add constraint "run_skip_reason_check" check ("skip_reason" in ('OVERLAP', 'MISSED', 'TOO_OLD', 'NO_RUNNER'));`,
    );

    this.addSql(
      `create table "idempotency_key" ("user_id" int not null, "key" text not null, "fingerprint" bytea not null, "result_id" bigint null, "created_at" timestamptz not null default now(), primary key ("user_id", "key"));`,
    );
    this.addSql(`create index "idempotency_key_created_at_index" on "idempotency_key" ("created_at");`);
    this.addSql(
      `alter table "idempotency_key" add constraint "idempotency_key_length" check (char_length(key) between 1 and 255);`,
    );

    this.addSql(
      `create table "event" ("id" bigserial primary key, "seq" bigint null, "at" timestamptz not null default now(), "type" text not null, "message" text null, "data" text null, "task_id" int not null, "task_name" text not null, "run_id" bigint null, "run_state" text null, "attempt" int null, "actor_id" int not null);`,
    );
    this.addSql(`create index "event_actor_id_index" on "event" ("actor_id");`);
    this.addSql(`create index "event_unsequenced" on "event" ("id") where seq is null;`);
    this.addSql(`create index "event_by_task" on "event" ("task_id", "seq");`);
    this.addSql(`create index "event_by_run" on "event" ("run_id", "seq");`);
    this.addSql(`create index "event_by_type" on "event" ("type", "seq");`);
    this.addSql(`alter table "event" add constraint "event_seq" unique ("seq");`);
    this.addSql(
      `alter table "event" add constraint "event_run_or_task" check ((run_id is null) = (type like 'TASK\\_%'));`,
    );
    this.addSql(`alter table "event" add constraint "event_run_state" check ((run_id is null) = (run_state is null));`);
    this.addSql(
      `alter table "event" add constraint "event_type_check" check ("type" in ('QUEUED', 'STARTED', 'LOG', 'PROGRESS', 'RETRYING', 'SUCCEEDED', 'FAILED', 'CANCELLED', 'SKIPPED', 'TASK_ADDED', 'TASK_UPDATED', 'TASK_PAUSED', 'TASK_RESUMED', 'TASK_DELETED'));`,
    );
    this.addSql(
      `alter table "event" add constraint "event_run_state_check" check ("run_state" in ('QUEUED', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELLED', 'SKIPPED'));`,
    );

    this.addSql(
      `create table "api_key" ("id" serial primary key, "key" text not null, "sealed_secret" bytea not null, "user_id" int not null, "created_at" timestamptz not null default now(), "revoked_at" timestamptz null);`,
    );
    this.addSql(`alter table "api_key" add constraint "api_key_key_unique" unique ("key");`);
    this.addSql(`create index "api_key_user_id_index" on "api_key" ("user_id");`);
    this.addSql(
      `alter table "api_key" add constraint "api_key_key_length" check (char_length(key) between 1 and 255);`,
    );

    this.addSql(
      `alter table "task" add constraint "task_owner_id_foreign" foreign key ("owner_id") references "app_user" ("id");`,
    );

    this.addSql(
      `alter table "slot_gap" add constraint "slot_gap_task_id_foreign" foreign key ("task_id") references "task" ("id");`,
    );

    this.addSql(
      `alter table "schedule_version" add constraint "schedule_version_task_id_foreign" foreign key ("task_id") references "task" ("id") on delete cascade;`,
    );

    this.addSql(
      `alter table "repeat_item" add constraint "repeat_item_task_id_foreign" foreign key ("task_id") references "task" ("id") on delete cascade;`,
    );

    this.addSql(
      `alter table "run" add constraint "run_task_id_foreign" foreign key ("task_id") references "task" ("id");`,
    );
    this.addSql(
      `alter table "run" add constraint "run_retry_of_id_foreign" foreign key ("retry_of_id") references "run" ("id") on delete set null;`,
    );
    this.addSql(
      `alter table "run" add constraint "run_actor_id_foreign" foreign key ("actor_id") references "app_user" ("id");`,
    );

    this.addSql(
      `alter table "idempotency_key" add constraint "idempotency_key_user_id_foreign" foreign key ("user_id") references "app_user" ("id");`,
    );

    this.addSql(
      `alter table "event" add constraint "event_task_id_foreign" foreign key ("task_id") references "task" ("id");`,
    );
    this.addSql(
      `alter table "event" add constraint "event_run_id_foreign" foreign key ("run_id") references "run" ("id") on delete no action;`,
    );
    this.addSql(
      `alter table "event" add constraint "event_actor_id_foreign" foreign key ("actor_id") references "app_user" ("id");`,
    );

    this.addSql(
      `alter table "api_key" add constraint "api_key_user_id_foreign" foreign key ("user_id") references "app_user" ("id");`,
    );
  }
}
