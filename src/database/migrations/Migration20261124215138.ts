import { Migration } from '@mikro-orm/migrations';

export class Migration20261124215138 extends Migration {
  override name = 'Migration20261124215138';

  override up(): void | Promise<void> {
    this.addSql(`alter table "event" drop constraint "event_type_check";`);
    this.addSql(
      `alter table "event" add constraint "event_type_check" check ("type" in ('QUEUED', 'STARTED', 'LOG', 'PROGRESS', 'RETRYING', 'SUCCEEDED', 'FAILED', 'CANCELLED', 'SKIPPED', 'TASK_ADDED', 'TASK_UPDATED', 'TASK_PAUSED', 'TASK_RESUMED', 'TASK_DELETED', 'TASK_RESCHEDULED'));`,
    );
  }

  override down(): void | Promise<void> {
    this.addSql(`alter table "event" drop constraint "event_type_check";`);
    this.addSql(
      `alter table "event" add constraint "event_type_check" check ("type" in ('QUEUED', 'STARTED', 'LOG', 'PROGRESS', 'RETRYING', 'SUCCEEDED', 'FAILED', 'CANCELLED', 'SKIPPED', 'TASK_ADDED', 'TASK_UPDATED', 'TASK_PAUSED', 'TASK_RESUMED', 'TASK_DELETED'));`,
    );
  }
}
