// The types that the driver really returns, with instants as text (see timestamp.ts), for reads with Kysely.
import type { EntityManager, EntityName } from '@mikro-orm/postgresql';
import type { Kysely, Selectable } from 'kysely';
import type { Tables } from '../entities/index.ts';

type AsText<Value> = Date extends Value ? string | Exclude<Value, Date> : Value;

/** The tables with the types of reads. */
export type ReadTables = {
  [Name in keyof Tables]: { [Column in keyof Selectable<Tables[Name]>]: AsText<Selectable<Tables[Name]>[Column]> };
};

export type Row<Name extends keyof Tables> = ReadTables[Name];

/** For reads only; takes part in the transaction of `em`, if it has one. */
export function readRows(em: EntityManager): Kysely<ReadTables> {
  return em.getKysely<ReadTables>();
}

/** All columns of a table that this version knows: `*` would include those that a newer version adds. */
export function knownColumns(em: EntityManager, entity: EntityName): string[] {
  return em.getMetadata(entity).props.flatMap(({ fieldNames }) => fieldNames ?? []);
}
