import { Migration } from '@mikro-orm/migrations';

export class Migration20261124235619 extends Migration {
  override name = 'Migration20261124235619';

  override up(): void | Promise<void> {
    this.addSql(
      `create table "dns_server" ("id" serial primary key, "name" text not null, "description" text null, "enabled" boolean not null default true, "created_at" timestamptz not null default now());`,
    );
    this.addSql(`alter table "dns_server" add constraint "dns_server_name_unique" unique ("name");`);

    this.addSql(
      `create table "dns_zone" ("id" serial primary key, "name" text not null, "primary_server" text not null, "contact" text not null, "refresh" int not null, "retry" int not null, "expire" int not null, "minimum" int not null, "default_ttl" int not null, "serial" bigint null, "content_hash" text null, "version" int not null default 1, "created_at" timestamptz not null default now(), "updated_at" timestamptz not null default now());`,
    );
    this.addSql(`alter table "dns_zone" add constraint "dns_zone_name_unique" unique ("name");`);

    this.addSql(
      `create table "dns_server_zone" ("id" serial primary key, "server_id" int not null, "zone_id" int not null, "serial" bigint null, "pushed_at" timestamptz null, "error" text null, "failed_at" timestamptz null);`,
    );
    this.addSql(`create index "dns_server_zone_zone_id_index" on "dns_server_zone" ("zone_id");`);
    this.addSql(`alter table "dns_server_zone" add constraint "dns_server_zone_once" unique ("server_id", "zone_id");`);

    this.addSql(
      `create table "dns_record" ("id" serial primary key, "zone_id" int not null, "name" text not null, "type" text not null, "ttl" int null, "data" text not null, "data_hash" text generated always as (md5(data)) stored not null, "created_at" timestamptz not null default now());`,
    );
    this.addSql(`create index "dns_record_by_zone" on "dns_record" ("zone_id", "id");`);
    this.addSql(
      `alter table "dns_record" add constraint "dns_record_once" unique ("zone_id", "name", "type", "data_hash");`,
    );
    this.addSql(`create unique index "dns_record_one_cname" on "dns_record" ("zone_id", "name") where type = 'CNAME';`);

    this.addSql(
      `alter table "dns_server" add constraint "dns_server_name_length" check (char_length(name) between 1 and 255);`,
    );
    this.addSql(
      `alter table "dns_server" add constraint "dns_server_description_length" check (char_length(description) <= 1000);`,
    );

    this.addSql(
      `alter table "dns_zone" add constraint "dns_zone_name_form" check (name = lower(name) and char_length(name) between 1 and 200);`,
    );
    this.addSql(`alter table "dns_zone" add constraint "dns_zone_serial" check (serial between 0 and 4294967295);`);
    this.addSql(
      `alter table "dns_zone" add constraint "dns_zone_content" check (content_hash is null or serial is not null);`,
    );
    this.addSql(`alter table "dns_zone" add constraint "dns_zone_refresh" check (refresh between 0 and 2147483647);`);
    this.addSql(`alter table "dns_zone" add constraint "dns_zone_retry" check (retry between 0 and 2147483647);`);
    this.addSql(`alter table "dns_zone" add constraint "dns_zone_expire" check (expire between 0 and 2147483647);`);
    this.addSql(`alter table "dns_zone" add constraint "dns_zone_minimum" check (minimum between 0 and 2147483647);`);
    this.addSql(
      `alter table "dns_zone" add constraint "dns_zone_default_ttl" check (default_ttl between 0 and 2147483647);`,
    );

    this.addSql(
      `alter table "dns_server_zone" add constraint "dns_server_zone_server_id_foreign" foreign key ("server_id") references "dns_server" ("id") on delete cascade;`,
    );
    this.addSql(
      `alter table "dns_server_zone" add constraint "dns_server_zone_zone_id_foreign" foreign key ("zone_id") references "dns_zone" ("id") on delete cascade;`,
    );
    this.addSql(
      `alter table "dns_server_zone" add constraint "dns_server_zone_error" check ((error is null) = (failed_at is null));`,
    );

    this.addSql(
      `alter table "dns_record" add constraint "dns_record_zone_id_foreign" foreign key ("zone_id") references "dns_zone" ("id") on delete cascade;`,
    );
    this.addSql(
      `alter table "dns_record" add constraint "dns_record_name_form" check (name = lower(name) and char_length(name) between 1 and 253);`,
    );
    this.addSql(`alter table "dns_record" add constraint "dns_record_ttl" check (ttl between 0 and 2147483647);`);
    this.addSql(
      `alter table "dns_record" add constraint "dns_record_type_check" check ("type" in ('A', 'AAAA', 'CAA', 'CNAME', 'MX', 'NS', 'PTR', 'SRV', 'TXT'));`,
    );
  }

  override down(): void | Promise<void> {
    this.addSql(`alter table "dns_server_zone" drop constraint "dns_server_zone_server_id_foreign";`);
    this.addSql(`alter table "dns_server_zone" drop constraint "dns_server_zone_zone_id_foreign";`);
    this.addSql(`alter table "dns_record" drop constraint "dns_record_zone_id_foreign";`);

    this.addSql(`drop table if exists "dns_server" cascade;`);
    this.addSql(`drop table if exists "dns_zone" cascade;`);
    this.addSql(`drop table if exists "dns_server_zone" cascade;`);
    this.addSql(`drop table if exists "dns_record" cascade;`);
  }
}
