import { Migration } from '@mikro-orm/migrations';

export class Migration20261124135811 extends Migration {
  override name = 'Migration20261124135811';

  override up(): void | Promise<void> {
    this.addSql(
      `create table "legacy_reply" ("user_id" int not null, "key" text not null, "fingerprint" bytea not null, "reply" text not null, "created_at" timestamptz not null default now(), primary key ("user_id", "key"));`,
    );
    this.addSql(`create index "legacy_reply_created_at_index" on "legacy_reply" ("created_at");`);

    this.addSql(
      `create table "legacy_usage" ("api_key_id" int not null, "action" text not null, "calls" bigint not null, "last_called_at" timestamptz not null, primary key ("api_key_id", "action"));`,
    );
    this.addSql(`create index "legacy_usage_last_called_at_index" on "legacy_usage" ("last_called_at");`);

    this.addSql(
      `alter table "legacy_reply" add constraint "legacy_reply_user_id_foreign" foreign key ("user_id") references "app_user" ("id");`,
    );
    this.addSql(
      `alter table "legacy_reply" add constraint "legacy_reply_key_length" check (char_length(key) between 1 and 255);`,
    );

    this.addSql(
      `alter table "legacy_usage" add constraint "legacy_usage_api_key_id_foreign" foreign key ("api_key_id") references "api_key" ("id");`,
    );
  }

  override down(): void | Promise<void> {
    this.addSql(`drop table if exists "legacy_reply" cascade;`);
    this.addSql(`drop table if exists "legacy_usage" cascade;`);
  }
}
