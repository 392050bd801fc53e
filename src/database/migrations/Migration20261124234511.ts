import { Migration } from '@mikro-orm/migrations';

export class Migration20261124234511 extends Migration {
  override name = 'Migration20261124234511';

  override up(): void | Promise<void> {
    this.addSql(`drop index "ip_block_holding";`);
    this.addSql(`create index "ip_block_holding" on "ip_block" ("held_at", "id") where state = 'HOLDING';`);

    this.addSql(`alter table "run" add "checkpoint" text null;`);
  }

  override down(): void | Promise<void> {
    this.addSql(`drop index "ip_block_holding";`);
    this.addSql(`create index "ip_block_holding" on "ip_block" ("held_at") where state = 'HOLDING';`);

    this.addSql(`alter table "run" drop column "checkpoint";`);
  }
}
