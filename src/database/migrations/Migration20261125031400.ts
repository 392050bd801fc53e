import { Migration } from '@mikro-orm/migrations';

export class Migration20261125031400 extends Migration {
  override name = 'Migration20261125031400';

  override up(): void | Promise<void> {
    this.addSql(`create index "run_by_slot" on "run" ("slot", "trigger", "state") where slot is not null;`);
  }

  override down(): void | Promise<void> {
    this.addSql(`drop index "run_by_slot";`);
  }
}
