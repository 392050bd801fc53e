import type { EntityManager } from '@mikro-orm/postgresql';
import type { FastifyInstance } from 'fastify';
import { sql } from 'kysely';
import { FailureLog } from '../lib/failure-log.ts';
import { answerRequestIds } from './request-ids.ts';
import type { Services } from './services.ts';

/** How long `/readyz` waits for the database. */
const ANSWER_WITHIN_MS = 2_000;

/**
 * `/healthz`: the process is up. `/readyz`: the process can serve, so the database answers. Neither needs credentials.
 */
export async function healthPlugin(app: FastifyInstance, { orm, log }: Pick<Services, 'orm' | 'log'>): Promise<void> {
  answerRequestIds(app);
  const failures = new FailureLog('get an answer from the database', log);
  let asking: Promise<void> | undefined;
  app.get('/healthz', async () => ({ status: 'ok' }));
  app.get('/readyz', async (request, reply) => {
    try {
      // Concurrent checks share one query, so that they take one connection of the pool.
      asking ??= askDatabase(orm.em).finally(() => {
        asking = undefined;
      });
      await asking;
      failures.worked();
      return { status: 'ready' };
    } catch (error) {
      failures.failed(error, { requestId: request.id });
      return reply.code(503).send({ status: 'the database does not answer' });
    }
  });
}

/** Rejects if the database is down or no connection of the pool is free in time. */
async function askDatabase(em: EntityManager): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ANSWER_WITHIN_MS} ms`)), ANSWER_WITHIN_MS);
  });
  const answer = sql`select 1`.execute(em.fork().getKysely());
  // A query that fails after the timeout is not reported here; the next check reports the problem.
  answer.catch(() => undefined);
  await Promise.race([answer, timeout]).finally(() => clearTimeout(timer));
}
