import type pg from 'pg';
import { codeOf, reasonOf } from '../lib/describe-error.ts';
import { OperatorError } from '../lib/operator-error.ts';
import { CONNECTION, DeadPeerClient } from './dead-peer-client.ts';

const OLDEST_VERSION = 14;

/** Throws an OperatorError if the database cannot be used. */
export async function checkDatabase(url: string): Promise<void> {
  const client = await connect(url);
  try {
    const { rows } = await client.query<{ version: number }>(
      "select current_setting('server_version_num')::int / 10000 as version",
    );
    const version = rows[0]?.version ?? 0;
    if (version < OLDEST_VERSION) {
      throw new OperatorError(`PostgreSQL must be ${OLDEST_VERSION} or newer, got ${version}.`);
    }
  } finally {
    await client.end();
  }
}

/** Opens a connection outside the pool; throws an OperatorError that says what is wrong, without the password. */
export async function connect(url: string, applicationName = 'slotkeeper start'): Promise<pg.Client> {
  const client = new DeadPeerClient({
    connectionString: parse(url),
    application_name: applicationName,
    ...CONNECTION,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return client;
  } catch (error) {
    await client.end().catch(() => undefined);
    throw new OperatorError(explain(new URL(url), error));
  }
}

function parse(url: string): string {
  if (!URL.canParse(url))
    throw new OperatorError('DATABASE_URL must be a URL such as postgresql://user:password@host/name.');
  return url;
}

function explain({ hostname, port, pathname, username }: URL, error: unknown): string {
  const server = `${hostname || 'localhost'}:${port || 5432}`;
  switch (codeOf(error)) {
    case 'ECONNREFUSED':
      return `No PostgreSQL answers at ${server}: the connection was refused.`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `The database host ${hostname} cannot be found.`;
    case '28P01':
    case '28000':
      return `PostgreSQL at ${server} rejected the user "${decodeURIComponent(username)}" or the password.`;
    case '3D000':
      return `PostgreSQL at ${server} has no database "${decodeURIComponent(pathname.slice(1))}".`;
    default:
      return `PostgreSQL at ${server} cannot be used: ${reasonOf(error)}.`;
  }
}
