import { Migration } from '@mikro-orm/migrations';

export class Migration20261124235601 extends Migration {
  override name = 'Migration20261124235601';

  override up(): void | Promise<void> {
    this.addSql(
      `create table "secret" ("id" serial primary key, "name" text not null, "sealed_value" bytea not null, "allowed_hosts" text[] not null, "created_at" timestamptz not null default now(), "updated_at" timestamptz not null default now(), "updated_by_id" int not null);`,
    );
    this.addSql(`alter table "secret" add constraint "secret_name_unique" unique ("name");`);
    this.addSql(`create index "secret_updated_by_id_index" on "secret" ("updated_by_id");`);

    this.addSql(
      `alter table "secret" add constraint "secret_updated_by_id_foreign" foreign key ("updated_by_id") references "app_user" ("id");`,
    );
    this.addSql(
      `alter table "secret" add constraint "secret_name_length" check (char_length(name) between 1 and 100);`,
    );
    this.addSql(`alter table "secret" add constraint "secret_allowed_hosts" check (cardinality(allowed_hosts) > 0);`);
  }

  override down(): void | Promise<void> {
    this.addSql(`drop table if exists "secret" cascade;`);
  }
}
