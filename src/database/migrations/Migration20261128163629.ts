import { Migration } from '@mikro-orm/migrations';

export class Migration20261128163629 extends Migration {
  override name = 'Migration20261128163629';

  override up(): void | Promise<void> {
    this.addSql(`alter table "run" add "traceparent" text null;`);
  }

  override down(): void | Promise<void> {
    this.addSql(`alter table "run" drop column "traceparent";`);
  }
}
