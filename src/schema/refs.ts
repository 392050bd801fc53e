// The types that are backed by rows, and how a row is loaded by its id. A resolver may answer with a row or with its id.
import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { type Row, readRows } from '../database/rows.ts';
import type { LoggedEvent } from '../events/tail.ts';
import { builder } from './builder.ts';
import type { Context } from './context.ts';

export type RepeatItemRow = Row<'repeat_item'>;
/** The items, if they were read together with the tasks. */
export type TaskRow = Row<'task'> & { repeat_items?: RepeatItemRow[] };
export type RunRow = Row<'run'>;
export type DnsZoneRow = Row<'dns_zone'>;
export type DnsRecordRow = Row<'dns_record'>;
type DnsServerZoneRow = Row<'dns_server_zone'>;
export type UserRow = Pick<Row<'app_user'>, 'id' | 'name' | 'role' | 'disabled_at'>;

export type NodeTable =
  | 'task'
  | 'repeat_item'
  | 'run'
  | 'app_user'
  | 'ip_block'
  | 'dns_zone'
  | 'dns_record'
  | 'dns_server';

/** The rows of the ids, in the order of the ids; null for one that does not exist. One query. */
export async function loadRows<Table extends NodeTable>(em: EntityManager, table: Table, ids: readonly number[]) {
  const { rows } = await sql<Row<Table> & { id: number }>`
    select * from ${sql.table(table)} where id = any(${[...new Set(ids)]}::bigint[])
  `.execute(readRows(em));
  const byId = new Map(rows.map((row) => [row.id, row]));
  return ids.map((id) => byId.get(id) ?? null);
}

/**
 * Loads of one tick share a query and nothing is kept: what a later mutation of the same operation or a later event of
 * a subscription reads is what the database holds then.
 */
function loader<Table extends NodeTable>(table: Table) {
  return {
    load: (ids: number[], { em }: Context) => loadRows(em, table, ids) as Promise<(Row<Table> & { id: number })[]>,
    loaderOptions: { cache: false },
  };
}

export const TaskRef = builder.loadableObjectRef<TaskRow, number>('Task', loader('task'));
export const RunRef = builder.loadableObjectRef('Run', loader('run'));
export const UserRef = builder.loadableObjectRef<UserRow, number>('User', loader('app_user'));
export const IpBlockRef = builder.loadableObjectRef('IpBlock', loader('ip_block'));
export const DnsZoneRef = builder.loadableObjectRef('DnsZone', loader('dns_zone'));
export const DnsRecordRef = builder.loadableObjectRef('DnsRecord', loader('dns_record'));
export const DnsServerRef = builder.loadableObjectRef('DnsServer', loader('dns_server'));
export const DnsServerZoneRef = builder.objectRef<DnsServerZoneRow>('DnsServerZone');
export const RepeatItemRef = builder.objectRef<RepeatItemRow>('RepeatItem');
export const EventRef = builder.objectRef<LoggedEvent>('Event');
