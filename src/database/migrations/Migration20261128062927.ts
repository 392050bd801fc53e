import { Migration } from '@mikro-orm/migrations';

export class Migration20261128062927 extends Migration {
  override name = 'Migration20261128062927';

  override up(): void | Promise<void> {
    this.addSql(`create index "app_user_by_role" on "app_user" ("role", "name", "id");`);

    this.addSql(`create index "task_unplanned_or_deleted" on "task" ("next_run_at", "id") where next_run_at is null;`);
    this.addSql(`create index "task_paused" on "task" ("id") where not active and deleted_at is null;`);
    this.addSql(`create index "task_by_class" on "task" ("class_name", "id") where deleted_at is null;`);
  }

  override down(): void | Promise<void> {
    this.addSql(`drop index "app_user_by_role";`);

    this.addSql(`drop index "task_unplanned_or_deleted";`);
    this.addSql(`drop index "task_paused";`);
    this.addSql(`drop index "task_by_class";`);
  }
}
