import { Migration } from '@mikro-orm/migrations';

export class Migration20261124214622 extends Migration {
  override name = 'Migration20261124214622';

  override up(): void | Promise<void> {
    this.addSql(`alter table "event_log" add "database_oid" bigint null;`);
  }

  override down(): void | Promise<void> {
    this.addSql(`alter table "event_log" drop column "database_oid";`);
  }
}
