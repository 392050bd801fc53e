// What a test file makes once and each of its tests begins with: the rows of some tables, copied within the database.
import type { EntityManager } from '@mikro-orm/postgresql';
import { rows } from './races.ts';

/** Tables in an order in which their rows can be inserted. */
const TABLES = ['task', 'repeat_item', 'schedule_version', 'run', 'event', 'slot_gap', 'pgboss.job'];

/** Keeps what those tables hold now; returns what brings it back, numbering new rows as after a fresh start. */
export async function keepState({ em }: { em: EntityManager }): Promise<() => Promise<void>> {
  await rows(em, 'create schema kept');
  for (const table of TABLES) await rows(em, `create table kept."${table}" as table ${table}`);
  const columns = await rows<{ table: string; names: string }>(
    em,
    `select concat_ws('.', nullif(table_schema, 'public'), table_name) as table,
       string_agg(quote_ident(column_name), ', ' order by ordinal_position) as names
     from information_schema.columns where is_generated = 'NEVER' and table_schema in ('public', 'pgboss') group by 1`,
  );
  const namesOf = new Map(columns.map(({ table, names }) => [table, names]));
  return async () => {
    await rows(em, `truncate ${TABLES.join(', ')} cascade`);
    for (const table of TABLES) {
      const names = namesOf.get(table);
      await rows(em, `insert into ${table} (${names}) overriding system value select ${names} from kept."${table}"`);
      if (table === 'pgboss.job') continue;
      await rows(
        em,
        `select setval(pg_get_serial_sequence('${table}', 'id'), coalesce(max(id), 0) + 1, false) from ${table}`,
      );
    }
  };
}
