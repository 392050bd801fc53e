import { Migration } from '@mikro-orm/migrations';

export class Migration20261124235437 extends Migration {
  override name = 'Migration20261124235437';

  override up(): void | Promise<void> {
    this.addSql(
      `create table "registered_class" ("name" text not null, "title" text not null, "description" text not null, "data_schema" text not null, "defaults" text not null, "exclusive" boolean not null, "registered_at" timestamptz not null default now(), primary key ("name"));`,
    );

    this.addSql(`alter table "run" add "exclusive_class" text null;`);
    this.addSql(
      `create unique index "run_exclusive" on "run" ("exclusive_class") where state = 'RUNNING' and exclusive_class is not null;`,
    );
  }

  override down(): void | Promise<void> {
    this.addSql(`drop table if exists "registered_class" cascade;`);

    this.addSql(`drop index "run_exclusive";`);
    this.addSql(`alter table "run" drop column "exclusive_class";`);
  }
}
