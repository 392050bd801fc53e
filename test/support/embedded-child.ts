// A process of its own that takes a share in an embedded server: `node embedded-child.ts DATA_DIR`. It prints one line
// of JSON for each thing that happens, answers SIGINT with a query, and releases when its stdin ends.
import pg from 'pg';
import { startEmbedded } from '../../src/database/embedded.ts';

const [dataDir = ''] = process.argv.slice(2);
const say = (line: Record<string, unknown>) => process.stdout.write(`${JSON.stringify(line)}\n`);

let url = '';
process.on('SIGINT', async () => {
  const client = new pg.Client(url);
  await client.connect();
  const { rows } = await client.query('SELECT 1 AS answer');
  await client.end();
  say({ interrupted: rows[0] });
});

const server = await startEmbedded({ dataDir, settings: { fsync: 'off' }, log: (log) => say({ log }) });
url = server.url;
say({ url });
process.stdin.resume().once('end', async () => {
  await server.release();
  say({ released: true });
  process.exit();
});
