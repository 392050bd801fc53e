import type { EntityManager } from '@mikro-orm/postgresql';

/** The clock of the database now, not at the start of the transaction: slots due from then on are not late. */
export async function readClock(em: EntityManager): Promise<Date> {
  const [row] = await em.execute<{ now: string }[]>('select clock_timestamp() as now');
  return new Date(row?.now ?? Number.NaN);
}
