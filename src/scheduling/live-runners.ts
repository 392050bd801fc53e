import { type RawBuilder, sql } from 'kysely';

/** Whether a live process can run the class in `column`: the caller, with `ownClasses`, or another runner. */
export function hasRunner(column: string, ownClasses: readonly string[] = []): RawBuilder<boolean> {
  return sql<boolean>`(${sql.ref(column)} = any(${[...ownClasses]}::text[])
    or ${sql.ref(column)} in (select unnest(class_names) from runner where lives_until > now()))`;
}
