import { Migration } from '@mikro-orm/migrations';

export class Migration20261124210815 extends Migration {
  override name = 'Migration20261124210815';

  override up(): void | Promise<void> {
    this.addSql(`create index "slot_gap_ended" on "slot_gap" ("to_slot");`);

    this.addSql(`create index "schedule_version_ended" on "schedule_version" ("valid_to") where valid_to is not null;`);
  }

  override down(): void | Promise<void> {
    this.addSql(`drop index "schedule_version_ended";`);

    this.addSql(`drop index "slot_gap_ended";`);
  }
}
