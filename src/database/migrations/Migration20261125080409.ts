import { Migration } from '@mikro-orm/migrations';

export class Migration20261125080409 extends Migration {
  override name = 'Migration20261125080409';

  override up(): void | Promise<void> {
    this.addSql(`drop index "task_due";`);
    this.addSql(
      `create index "task_unplanned" on "task" ("next_run_at", "id") where next_run_at is null and deleted_at is null;`,
    );
    this.addSql(`create index "task_due" on "task" ("next_run_at", "id") where next_run_at is not null;`);

    this.addSql(`drop index "run_actor_id_index";`);
    this.addSql(`drop index "run_retry_of_id_index";`);
    this.addSql(`create index "run_by_skip_reason" on "run" ("skip_reason", "id") where skip_reason is not null;`);
    this.addSql(`create index "run_by_request" on "run" ("trigger", "id") where trigger <> 'SCHEDULE';`);
    this.addSql(`create index "run_retry_of_id_index" on "run" ("retry_of_id") where retry_of_id is not null;`);
  }

  override down(): void | Promise<void> {
    this.addSql(`drop index "run_by_skip_reason";`);
    this.addSql(`drop index "run_by_request";`);
    this.addSql(`drop index "run_retry_of_id_index";`);
    this.addSql(`create index "run_actor_id_index" on "run" ("actor_id");`);
    this.addSql(`create index "run_retry_of_id_index" on "run" ("retry_of_id");`);

    this.addSql(`drop index "task_unplanned";`);
    this.addSql(`drop index "task_due";`);
    this.addSql(`create index "task_due" on "task" ("next_run_at") where next_run_at is not null;`);
  }
}
