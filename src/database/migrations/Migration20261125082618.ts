import { Migration } from '@mikro-orm/migrations';

export class Migration20261125082618 extends Migration {
  override name = 'Migration20261125082618';

  override up(): void | Promise<void> {
    this.addSql(
      `create index "dns_server_zone_failed" on "dns_server_zone" ("server_id", "id") where error is not null;`,
    );

    this.addSql(`create index "ip_block_by_family" on "ip_block" ("family", "id");`);

    this.addSql(`create index "run_without_slot" on "run" ("slot", "id") where slot is null;`);
  }

  override down(): void | Promise<void> {
    this.addSql(`drop index "dns_server_zone_failed";`);

    this.addSql(`drop index "ip_block_by_family";`);

    this.addSql(`drop index "run_without_slot";`);
  }
}
