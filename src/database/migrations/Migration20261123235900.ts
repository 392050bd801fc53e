import { Migration } from '@mikro-orm/migrations';

/** What entities cannot express: the exclusion constraint of the blocks and the only row of the event log. */
export class Migration20261123235900 extends Migration {
  override name = 'Migration20261123235900';

  override up(): void {
    this.addSql('create extension if not exists btree_gist;');
    this.addSql(
      'alter table ip_block add constraint ip_block_no_overlap exclude using gist (pool with =, cidr inet_ops with &&);',
    );
    this.addSql(
      `insert into event_log (id, log_id, system_identifier, timeline)
       select 1, gen_random_uuid(), s.system_identifier::text, c.timeline_id
       from pg_control_system() s, pg_control_checkpoint() c;`,
    );
  }

  override down(): void {
    this.addSql('delete from event_log;');
    this.addSql('alter table ip_block drop constraint ip_block_no_overlap;');
  }
}
