import { Migration } from '@mikro-orm/migrations';

export class Migration20261128095949 extends Migration {
  override name = 'Migration20261128095949';

  override up(): void | Promise<void> {
    this.addSql(
      `create table "audit_entry" ("id" bigserial primary key, "at" timestamptz not null default now(), "actor_id" int null, "api_key" text null, "origin" text not null, "action" text not null, "target" text not null, "change" text null);`,
    );
    this.addSql(`create index "audit_entry_by_actor" on "audit_entry" ("actor_id", "id");`);
    this.addSql(`create index "audit_entry_by_target" on "audit_entry" ("target", "id");`);
    this.addSql(`create index "audit_entry_by_action" on "audit_entry" ("action", "id");`);

    this.addSql(`alter table "app_user" add "disabled_at" timestamptz null;`);
    this.addSql(`create index "app_user_disabled" on "app_user" ("name", "id") where disabled_at is not null;`);

    this.addSql(`alter table "api_key" add "last_used_at" timestamptz null;`);
  }

  override down(): void | Promise<void> {
    this.addSql(`drop table if exists "audit_entry" cascade;`);

    this.addSql(`alter table "api_key" drop column "last_used_at";`);

    this.addSql(`drop index "app_user_disabled";`);
    this.addSql(`alter table "app_user" drop column "disabled_at";`);
  }
}
