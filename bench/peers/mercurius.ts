// Mercurius with hand-written SQL, its loaders and its just-in-time compiler. Where KEY is given, it looks that API key up at
// each request, as the product does; whether the secret is right it does not check.
import Fastify from 'fastify';
import mercurius from 'mercurius';
import pg from 'pg';
import { POOL_SIZE } from './pool-size.ts';

// As the product has them: an instant as text, a calendar date as text.
pg.types.setTypeParser(pg.types.builtins.DATE, (text) => text);
pg.types.setTypeParser(pg.types.builtins.TIMESTAMPTZ, (text) => new Date(text).toISOString());

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: POOL_SIZE });
const app = Fastify();

app.register(mercurius, {
  schema: `
    type Query { tasks(first: Int!): TaskConnection! }
    type TaskConnection { edges: [TaskEdge!]! }
    type TaskEdge { node: Task! }
    type Task { id: ID! legacyId: Int! name: String! className: String! active: Boolean! timeZone: String!
      nextRunAt: String repeatItems: [RepeatItem!]! }
    type RepeatItem { id: ID! start: String end: String intervalDays: Int year: Int month: Int dayOfMonth: Int
      weekOfMonth: Int dayOfWeek: Int hour: Int minute: Int }
  `,
  resolvers: {
    Query: {
      tasks: async (_root: unknown, { first }: { first: number }) => {
        const { rows } = await pool.query({
          name: 'tasks',
          text: `select id, id as "legacyId", name, class_name as "className", active, time_zone as "timeZone",
              next_run_at as "nextRunAt"
            from task where deleted_at is null order by id limit $1`,
          values: [first],
        });
        return { edges: rows.map((node) => ({ node })) };
      },
    },
  },
  loaders: {
    Task: {
      repeatItems: {
        loader: async (queries: { obj: { legacyId: number } }[]) => {
          const { rows } = await pool.query({
            name: 'items',
            text: `select id, task_id, start_date as start, end_date as end, interval_days as "intervalDays", year, month,
                day_of_month as "dayOfMonth", week_of_month as "weekOfMonth", day_of_week as "dayOfWeek", hour, minute
              from repeat_item where task_id = any($1) order by id`,
            values: [queries.map(({ obj }) => obj.legacyId)],
          });
          const byTask = Map.groupBy(rows as { task_id: number }[], ({ task_id }) => task_id);
          return queries.map(({ obj }) => byTask.get(obj.legacyId) ?? []);
        },
        opts: { cache: false },
      },
    },
  },
  jit: 1,
});

const key = process.env.KEY;
if (key !== undefined) {
  app.addHook('onRequest', async () => {
    const { rows } = await pool.query({
      name: 'key',
      text: `select app_user.id, app_user.name, app_user.role
        from api_key join app_user on app_user.id = api_key.user_id where key = $1 and revoked_at is null`,
      values: [key],
    });
    if (rows.length !== 1) throw new Error('there is no such key');
  });
}

process.stdout.write(`listens on ${await app.listen({ host: '127.0.0.1', port: 0 })}\n`);
