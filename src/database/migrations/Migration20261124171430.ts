import { Migration } from '@mikro-orm/migrations';

export class Migration20261124171430 extends Migration {
  override name = 'Migration20261124171430';

  override up(): void | Promise<void> {
    this.addSql(`create table "retention" ("id" int not null, "ledger_from" timestamptz null, primary key ("id"));`);

    this.addSql(
      `create table "runner" ("id" uuid not null, "host" text not null, "pid" int not null, "class_names" text[] not null, "started_at" timestamptz not null default now(), "lives_until" timestamptz not null, primary key ("id"));`,
    );
    this.addSql(`create index "runner_lives_until_index" on "runner" ("lives_until");`);

    this.addSql(`alter table "event" drop constraint "event_run_id_foreign";`);

    this.addSql(`alter table "event_log" drop constraint "event_log_order";`);
    this.addSql(`alter table "event_log" add "history_floor" bigint not null default '0';`);
    this.addSql(
      `alter table "event_log" add constraint "event_log_order" check (history_floor >= 0 and floor >= history_floor and head >= floor);`,
    );

    this.addSql(`alter table "retention" add constraint "retention_single" check (id = 1);`);
    this.addSql(
      `alter table "retention" add constraint "retention_whole_minute" check (ledger_from = date_trunc('minute', ledger_from, 'UTC'));`,
    );
    // The table's only row.
    this.addSql('insert into retention (id) values (1);');
  }

  override down(): void | Promise<void> {
    this.addSql(`drop table if exists "retention" cascade;`);
    this.addSql(`drop table if exists "runner" cascade;`);

    this.addSql(
      `alter table "event" add constraint "event_run_id_foreign" foreign key ("run_id") references "run" ("id");`,
    );

    this.addSql(`alter table "event_log" drop constraint "event_log_order";`);
    this.addSql(`alter table "event_log" drop column "history_floor";`);
    this.addSql(`alter table "event_log" add constraint "event_log_order" check (floor >= 0 and head >= floor);`);
  }
}
