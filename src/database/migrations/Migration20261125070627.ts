import { Migration } from '@mikro-orm/migrations';

export class Migration20261125070627 extends Migration {
  override name = 'Migration20261125070627';

  override up(): void | Promise<void> {
    this.addSql(`drop index "run_actor_id_index";`);
    this.addSql(`drop index "run_retry_of_id_index";`);
    this.addSql(`create index "run_by_retried" on "run" ("retry_of_id", "id") where retry_of_id is not null;`);

    this.addSql(`drop index "event_actor_id_index";`);
    this.addSql(`alter table "event" drop constraint "event_seq";`);
    this.addSql(`drop index "event_by_run";`);
    this.addSql(`drop index "event_by_task";`);
    this.addSql(`drop index "event_by_type";`);
    this.addSql(`create index "event_by_actor" on "event" ("actor_id", "seq") where seq is not null;`);
    this.addSql(`create unique index "event_seq" on "event" ("seq") where seq is not null;`);
    this.addSql(`create index "event_by_run" on "event" ("run_id", "seq") where seq is not null;`);
    this.addSql(`create index "event_by_task" on "event" ("task_id", "seq") where seq is not null;`);
    this.addSql(`create index "event_by_type" on "event" ("type", "seq") where seq is not null;`);
  }

  override down(): void | Promise<void> {
    this.addSql(`drop index "event_by_actor";`);
    this.addSql(`drop index "event_seq";`);
    this.addSql(`drop index "event_by_task";`);
    this.addSql(`drop index "event_by_run";`);
    this.addSql(`drop index "event_by_type";`);
    this.addSql(`create index "event_actor_id_index" on "event" ("actor_id");`);
    this.addSql(`alter table "event" add constraint "event_seq" unique ("seq");`);
    this.addSql(`create index "event_by_task" on "event" ("task_id", "seq");`);
    this.addSql(`create index "event_by_run" on "event" ("run_id", "seq");`);
    this.addSql(`create index "event_by_type" on "event" ("type", "seq");`);

    this.addSql(`drop index "run_by_retried";`);
    this.addSql(`create index "run_actor_id_index" on "run" ("actor_id");`);
    this.addSql(`create index "run_retry_of_id_index" on "run" ("retry_of_id");`);
  }
}
