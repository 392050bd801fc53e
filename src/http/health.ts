import type { FastifyInstance } from 'fastify';
import { sql } from 'kysely';
import type { Parts } from './parts.ts';

/** `/healthz`: the process is up. `/readyz`: it can serve, that is, the database answers. Both need no credentials. */
export async function healthPlugin(app: FastifyInstance, { orm, log }: Parts): Promise<void> {
  app.get('/healthz', async () => ({ status: 'ok' }));
  app.get('/readyz', async (_request, reply) => {
    try {
      await sql`select 1`.execute(orm.em.fork().getKysely());
      return { status: 'ready' };
    } catch (error) {
      log.warn({ err: error }, 'not ready: the database does not answer');
      return reply.code(503).send({ status: 'the database does not answer' });
    }
  });
}
