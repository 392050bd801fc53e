import { Migration } from '@mikro-orm/migrations';

export class Migration20261125031111 extends Migration {
  override name = 'Migration20261125031111';

  override up(): void | Promise<void> {
    this.addSql(`alter table "runner" add "places" int not null default 0;`);

    this.addSql(`alter table "run" add "runner_id" uuid null;`);
  }

  override down(): void | Promise<void> {
    this.addSql(`alter table "run" drop column "runner_id";`);

    this.addSql(`alter table "runner" drop column "places";`);
  }
}
