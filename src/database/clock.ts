import type { EntityManager } from '@mikro-orm/postgresql';

/** The database's clock now, not at the start of the transaction: what is due after it was never late. */
export async function readClock(em: EntityManager): Promise<Date> {
  const [row] = await em.execute<{ now: string }[]>('select clock_timestamp() as now');
  return new Date(row?.now ?? Number.NaN);
}
