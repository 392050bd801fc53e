import { Migration } from '@mikro-orm/migrations';

export class Migration20261128130653 extends Migration {
  override name = 'Migration20261128130653';

  override up(): void | Promise<void> {
    this.addSql(
      `create table "imported_log" ("task_id" int not null, "id" bigint not null, "at" timestamptz not null, "level" text null, "category" text null, "message" text not null, "user_id" int null, "username" text null, "ip" text null, primary key ("task_id", "id"));`,
    );
    this.addSql(`create index "imported_log_by_time" on "imported_log" ("at");`);
  }

  override down(): void | Promise<void> {
    this.addSql(`drop table if exists "imported_log" cascade;`);
  }
}
