// The floor of adding a task: `node:http`, and the rows that the product writes for it, by hand in one transaction.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import pg from 'pg';
import { POOL_SIZE } from './pool-size.ts';

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: POOL_SIZE });

async function add(name: string): Promise<number> {
  const client = await pool.connect();
  try {
    await client.query('begin');
    const { rows } = await client.query({
      name: 'task',
      text: `insert into task (name, class_name, active, owner_id, time_zone, next_run_at, created_at, updated_at)
        values ($1, $2, true, 1, 'UTC', '2035-01-01T04:00:00Z', now(), now()) returning id`,
      values: [name, '\\bench\\NothingTask'],
    });
    const { id } = rows[0];
    await client.query({
      name: 'item',
      text: 'insert into repeat_item (task_id, hour, minute) values ($1, 4, 0)',
      values: [id],
    });
    await client.query({
      name: 'version',
      text: `insert into schedule_version (task_id, rules, time_zone, active, valid_from)
        values ($1, '[{"hour":4,"minute":0}]', 'UTC', true, now())`,
      values: [id],
    });
    await client.query({
      name: 'event',
      text: `insert into event (type, task_id, task_name, actor_id) values ('TASK_ADDED', $1, $2, 1)`,
      values: [id, name],
    });
    await client.query('commit');
    return id;
  } catch (error) {
    await client.query('rollback');
    throw error;
  } finally {
    client.release();
  }
}

const server = createServer(async (request, response) => {
  let body = '';
  for await (const chunk of request) body += chunk;
  const id = await add((JSON.parse(body) as { name: string }).name);
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ id }));
});
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`listens on http://127.0.0.1:${(server.address() as AddressInfo).port}\n`);
});
