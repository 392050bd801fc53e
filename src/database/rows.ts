// What the driver really returns: the columns' types with instants as text (see timestamp.ts), for reads by Kysely.
import type { EntityManager, EntityName } from '@mikro-orm/postgresql';
import type { Kysely, Selectable } from 'kysely';
import type { Tables } from '../entities/index.ts';

type AsText<Value> = Date extends Value ? string | Exclude<Value, Date> : Value;

/** The tables as they are read. */
export type ReadTables = {
  [Name in keyof Tables]: { [Column in keyof Selectable<Tables[Name]>]: AsText<Selectable<Tables[Name]>[Column]> };
};

export type Row<Name extends keyof Tables> = ReadTables[Name];

/** For reads only; takes part in the transaction of `em`, if it has one. */
export function readRows(em: EntityManager): Kysely<ReadTables> {
  return em.getKysely<ReadTables>();
}

/** All columns that this version knows: `*` would mean other columns once a newer version has added some. */
export function knownColumns(em: EntityManager, entity: EntityName): string[] {
  return em.getMetadata(entity).props.flatMap(({ fieldNames }) => fieldNames ?? []);
}
