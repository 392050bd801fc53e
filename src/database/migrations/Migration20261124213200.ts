import { Migration } from '@mikro-orm/migrations';

export class Migration20261124213200 extends Migration {
  override name = 'Migration20261124213200';

  override up(): void | Promise<void> {
    this.addSql(`alter table "run" drop constraint "run_actor_id_foreign";`);

    this.addSql(`alter table "event" drop constraint "event_actor_id_foreign";`);
    this.addSql(`alter table "event" drop constraint "event_task_id_foreign";`);
  }

  override down(): void | Promise<void> {
    this.addSql(
      `alter table "event" add constraint "event_actor_id_foreign" foreign key ("actor_id") references "app_user" ("id");`,
    );
    this.addSql(
      `alter table "event" add constraint "event_task_id_foreign" foreign key ("task_id") references "task" ("id");`,
    );

    this.addSql(
      `alter table "run" add constraint "run_actor_id_foreign" foreign key ("actor_id") references "app_user" ("id");`,
    );
  }
}
