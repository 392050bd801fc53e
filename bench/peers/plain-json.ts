// The floor: `node:http`, and one statement with which PostgreSQL builds the whole reply.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import pg from 'pg';
import { POOL_SIZE } from './pool-size.ts';

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: POOL_SIZE });

const TEXT = `
  select json_build_object('data', json_build_object('tasks', json_build_object('edges', coalesce(json_agg(
    json_build_object('node', json_build_object('id', id, 'legacyId', id, 'name', name, 'className', class_name,
      'active', active, 'timeZone', time_zone, 'nextRunAt', next_run_at, 'repeatItems', (
        select coalesce(json_agg(json_build_object('id', id, 'start', start_date, 'end', end_date,
          'intervalDays', interval_days, 'year', year, 'month', month, 'dayOfMonth', day_of_month,
          'weekOfMonth', week_of_month, 'dayOfWeek', day_of_week, 'hour', hour, 'minute', minute) order by id), '[]')
        from repeat_item where task_id = page.id))) order by id), '[]'))))::text as reply
  from (select * from task where deleted_at is null order by id limit $1) as page`;

const server = createServer(async (request, response) => {
  let body = '';
  for await (const chunk of request) body += chunk;
  const { variables } = JSON.parse(body) as { variables: { first: number } };
  const { rows } = await pool.query({ name: 'tasks', text: TEXT, values: [variables.first] });
  response.setHeader('content-type', 'application/json');
  response.end(rows[0].reply);
});
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`listens on http://127.0.0.1:${(server.address() as AddressInfo).port}\n`);
});
