import { Migration } from '@mikro-orm/migrations';

export class Migration20261124235512 extends Migration {
  override name = 'Migration20261124235512';

  override up(): void | Promise<void> {
    this.addSql(
      `create table "installation" ("id" int not null, "uuid" uuid not null default gen_random_uuid(), "held_since" timestamptz null, "held_because" text null, primary key ("id"));`,
    );

    this.addSql(`alter table "installation" add constraint "installation_single" check (id = 1);`);
    this.addSql(
      `alter table "installation" add constraint "installation_held" check ((held_since is null) = (held_because is null));`,
    );
    // The table's only row.
    this.addSql('insert into installation (id) values (1);');
  }

  override down(): void | Promise<void> {
    this.addSql(`drop table if exists "installation" cascade;`);
  }
}
