import { Migration } from '@mikro-orm/migrations';

export class Migration20261124144040 extends Migration {
  override name = 'Migration20261124144040';

  override up(): void | Promise<void> {
    this.addSql(`alter table "task" add "retry_jitter" double precision not null default 0;`);
    this.addSql(`alter table "task" add constraint "task_retry_jitter" check (retry_jitter between 0 and 1);`);
  }

  override down(): void | Promise<void> {
    this.addSql(`alter table "task" drop constraint "task_retry_jitter";`);
    this.addSql(`alter table "task" drop column "retry_jitter";`);
  }
}
