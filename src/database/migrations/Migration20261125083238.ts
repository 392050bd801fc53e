import { Migration } from '@mikro-orm/migrations';

export class Migration20261125083238 extends Migration {
  override name = 'Migration20261125083238';

  override up(): void | Promise<void> {
    this.addSql(
      `create index "dns_server_zone_failed" on "dns_server_zone" ("server_id", "id") where error is not null;`,
    );

    this.addSql(`create index "ip_block_by_family" on "ip_block" ("family", "id");`);

    this.addSql(`drop index "task_due";`);
    this.addSql(
      `create index "task_unplanned" on "task" ("next_run_at", "id") where next_run_at is null and deleted_at is null;`,
    );
    this.addSql(`create index "task_due" on "task" ("next_run_at", "id") where next_run_at is not null;`);

    this.addSql(`create index "run_by_skip_reason" on "run" ("skip_reason", "id") where skip_reason is not null;`);
    this.addSql(`create index "run_by_request" on "run" ("trigger", "id") where trigger <> 'SCHEDULE';`);
    this.addSql(`create index "run_without_slot" on "run" ("slot", "id") where slot is null;`);
  }

  override down(): void | Promise<void> {
    this.addSql(`drop index "dns_server_zone_failed";`);

    this.addSql(`drop index "ip_block_by_family";`);

    this.addSql(`drop index "run_by_skip_reason";`);
    this.addSql(`drop index "run_by_request";`);
    this.addSql(`drop index "run_without_slot";`);

    this.addSql(`drop index "task_unplanned";`);
    this.addSql(`drop index "task_due";`);
    this.addSql(`create index "task_due" on "task" ("next_run_at") where next_run_at is not null;`);
  }
}
