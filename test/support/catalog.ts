import type { EntityManager } from '@mikro-orm/postgresql';
import { rows } from './races.ts';

/** What PostgreSQL itself says of the tables, in its own spelling; the bookkeeping of the migrations left out. */
export const CATALOG = `
  select 'column' as kind, concat_ws(' ', table_name, column_name, data_type, is_nullable, column_default) as definition
    from information_schema.columns where table_schema = 'public' and table_name <> 'mikro_orm_migrations'
  union all
  select 'constraint', concat_ws(' ', conrelid::regclass, conname, pg_get_constraintdef(oid))
    from pg_constraint where connamespace = 'public'::regnamespace and conrelid::regclass::text <> 'mikro_orm_migrations'
  union all
  select 'index', indexdef from pg_indexes where schemaname = 'public' and tablename <> 'mikro_orm_migrations'
  order by 1, 2`;

export interface Definition {
  kind: string;
  definition: string;
}

export function catalogOf({ em }: { em: EntityManager }): Promise<Definition[]> {
  return rows(em, CATALOG);
}
