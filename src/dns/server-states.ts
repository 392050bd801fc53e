import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import type { ZoneOutcome } from './server-push.ts';

const MAX_FAULT = 2_000;

/**
 * Keeps what became of zones on a server, for those who ask which server has which serial. One statement; zones and
 * servers that were deleted meanwhile are left out, and those that are there stay until it has committed.
 */
export async function recordStates(
  em: EntityManager,
  serverId: number,
  outcomes: readonly ZoneOutcome[],
): Promise<void> {
  const ids = outcomes.map(({ zone }) => zone.id);
  const serials = outcomes.map(({ serial }) => serial);
  const faults = outcomes.map(({ fault }) => fault?.slice(0, MAX_FAULT) ?? null);
  await sql`
    with outcome as (
      select * from unnest(${ids}::int[], ${serials}::bigint[], ${faults}::text[]) as outcome (zone_id, serial, fault)
    ), server as (
      select id from dns_server where id = ${serverId} for key share
    ), zone as (
      select id from dns_zone where id = any(${ids}::int[]) order by id for key share
    )
    insert into dns_server_zone (server_id, zone_id, serial, pushed_at, error, failed_at)
    select server.id, zone.id, outcome.serial, case when fault is null then now() end, fault,
      case when fault is not null then now() end
    from outcome join zone on zone.id = outcome.zone_id cross join server
    order by zone.id
    on conflict (server_id, zone_id) do update set
      serial = coalesce(excluded.serial, dns_server_zone.serial), error = excluded.error, failed_at = excluded.failed_at,
      pushed_at = coalesce(excluded.pushed_at, dns_server_zone.pushed_at)
  `.execute(em.getKysely());
}
