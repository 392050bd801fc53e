import type { EntityManager } from '@mikro-orm/postgresql';
import { type Row, readRows } from '../database/rows.ts';
import { readText } from '../lib/input.ts';
import { normalName } from './names.ts';

export type ZoneRow = Row<'dns_zone'>;

/** Which zone. The name may end with a dot and need not be in lower case. */
export type ZoneBy = { id: number; name?: never } | { name: string; id?: never };

/** The column and the value that `by` says. BAD_USER_INPUT at `name` for a text that can be no name. */
export function zoneKey(by: ZoneBy) {
  if (by.id !== undefined) return { column: 'id', value: by.id } as const;
  return { column: 'name', value: normalName(readText(by.name, 'name', { most: 1_000 })) } as const;
}

export function findZone(em: EntityManager, by: ZoneBy): Promise<ZoneRow | undefined> {
  const { column, value } = zoneKey(by);
  return readRows(em).selectFrom('dns_zone').selectAll().where(column, '=', value).executeTakeFirst();
}
