// Fills an empty database from a backup in one transaction: if it is killed at any moment, the database stays as it
// was.
import { pipeline } from 'node:stream/promises';
import { type EntityManager, MikroORM } from '@mikro-orm/postgresql';
import { PostgresDialect, type PostgresPoolClient } from 'kysely';
import pg from 'pg';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';
import { connect } from '../database/connect.ts';
import { lockMigrations, readMigrationsInCode } from '../database/migrate.ts';
import { MIGRATIONS_TABLE, ormOptions } from '../database/orm.ts';
import { BackupFault, Digest, type Manifest, type TableInManifest } from './archive.ts';
import { holdInstallation } from './installation.ts';
import { isSame, type OpenBackup } from './read-backup.ts';
import { copyIn, copyOut, ourTables, readShapes, setUpSession, type TableShape } from './tables.ts';

/** Tables whose only row, or all rows, migrations insert. */
const FILLED_BY_MIGRATIONS = ['event_log', 'retention', 'installation', MIGRATIONS_TABLE];

/** Reports progress through `say`. Throws a BackupFault if the backup cannot be restored into the database. */
export async function restoreBackup(
  databaseUrl: string,
  backup: OpenBackup,
  say: (message: string) => void,
): Promise<void> {
  const { manifest } = backup;
  await checkVersion(backup);
  const client = await connect(databaseUrl, 'slotkeeper restore');
  try {
    await setUpSession(client);
    // A server that starts meanwhile waits for this lock until the restore has ended, and a restore until the server
    // has migrated.
    await lockMigrations(client);
    const orm = await openOn(client, databaseUrl);
    try {
      await orm.em.fork().transactional(async (em) => {
        await checkEmpty(client, em, manifest);
        await migrateTo(orm, em, manifest.migrations);
        for (const table of manifest.tables) {
          await fill(client, backup, table);
          say(`${table.name}: ${table.rows} rows`);
        }
        await verify(client, manifest);
        await finish(client, orm, em, backup);
      });
    } finally {
      await orm.close();
    }
  } finally {
    await client.end();
  }
}

/** The backup's migrations must be the first ones of this version's. */
async function checkVersion({ manifest, name }: OpenBackup): Promise<void> {
  const inCode = await readMigrationsInCode();
  const { migrations, version } = manifest;
  const unknown = migrations.filter((migration) => !inCode.includes(migration));
  if (unknown.length > 0) {
    throw new BackupFault(
      `${name} was made by a newer version of Slotkeeper, ${version} (it has the migrations ${unknown.join(', ')}): restore it with that version.`,
    );
  }
  if (migrations.join() !== inCode.slice(0, migrations.length).join()) {
    throw new BackupFault(
      `${name} was made by Slotkeeper ${version}, whose migrations this version does not continue.`,
    );
  }
}

/** An ORM that sends every query over this one connection, so that migrations and COPY share its transaction. */
function openOn(client: pg.Client, databaseUrl: string): Promise<MikroORM> {
  const query = client.query.bind(client) as PostgresPoolClient['query'];
  const onlyClient = { query, release: () => undefined };
  const pool = { options: {}, connect: async () => onlyClient, end: async () => undefined };
  return MikroORM.init({ ...ormOptions(databaseUrl), driverOptions: new PostgresDialect({ pool }) });
}

/**
 * Checks that the database is unused: no table of ours has a row that its migrations did not insert. The tables stay
 * locked, so that a server which has just migrated them and is about to create its first admin waits, and then finds
 * the users of the backup.
 */
async function checkEmpty(client: pg.Client, em: EntityManager, { migrations }: Manifest): Promise<void> {
  const present = await readShapes(client, [...ourTables(em), MIGRATIONS_TABLE]);
  const used = present.filter(({ name }) => !FILLED_BY_MIGRATIONS.includes(name));
  for (const { name } of used) await refuseRows(client, name);
  if (present.length > 0) {
    const names = present.map(({ name }) => pg.escapeIdentifier(name)).join(', ');
    await client.query(`lock table ${names} in access exclusive mode`);
  }
  // Checked again under the locks. The first check is without them, so that a database in use is refused without making
  // it wait.
  for (const { name } of used) await refuseRows(client, name);
  if (!present.some(({ name }) => name === MIGRATIONS_TABLE)) return;
  const { rows } = await client.query<{ name: string }>(`select name from ${MIGRATIONS_TABLE} order by id`);
  if (rows.every(({ name }) => migrations.includes(name))) return;
  throw new BackupFault(
    'The database has tables that are newer than the backup, though empty: restore into a new, empty database.',
  );
}

async function refuseRows(client: pg.Client, table: string): Promise<void> {
  const { rows } = await client.query<{ found: boolean }>(
    `select exists (select from ${pg.escapeIdentifier(table)}) as found`,
  );
  if (rows[0]?.found !== true) return;
  throw new BackupFault(
    `The database is in use: there are rows in ${table}. A backup can only be restored into an empty database.`,
  );
}

/** Applies `migrations`, or all of this version's. */
async function migrateTo(orm: MikroORM, em: EntityManager, migrations?: string[]): Promise<void> {
  await orm.migrator.up({
    ...(migrations === undefined ? {} : { migrations }),
    transaction: em.getTransactionContext(),
  });
}

async function fill(client: pg.Client, backup: OpenBackup, table: TableInManifest): Promise<void> {
  // The row that a migration inserted.
  await client.query(`delete from ${pg.escapeIdentifier(table.name)}`);
  await pipeline(await backup.read(table.name), client.query(copyFrom(copyIn(table.name, table.columns))));
}

/** Reads all tables back and compares them with the manifest, to the byte. */
async function verify(client: pg.Client, { tables }: Manifest): Promise<void> {
  const shapes = new Map(
    (
      await readShapes(
        client,
        tables.map(({ name }) => name),
      )
    ).map((shape) => [shape.name, shape]),
  );
  for (const table of tables) {
    const shape = shapes.get(table.name);
    if (shape !== undefined && (await holds(client, shape, table))) continue;
    throw new BackupFault(`The table ${table.name} differs from the backup; nothing was restored.`);
  }
}

async function holds(client: pg.Client, shape: TableShape, table: TableInManifest): Promise<boolean> {
  if (shape.columns.join() !== table.columns.join()) return false;
  const digest = new Digest();
  const rows = client.query(copyTo(copyOut(shape)));
  for await (const chunk of rows as AsyncIterable<Buffer>) digest.update(chunk);
  return isSame(digest.result(), table);
}

/** Turns the rows into an installation: sequences, a new log id, this version's tables, and held runners. */
async function finish(client: pg.Client, orm: MikroORM, em: EntityManager, backup: OpenBackup): Promise<void> {
  const { tables, createdAt } = backup.manifest;
  for (const { name, next } of tables) {
    for (const [column, value] of Object.entries(next)) {
      await client.query(
        `select setval(pg_get_serial_sequence($1, $2), greatest($3::bigint, max(${pg.escapeIdentifier(column)}) + 1), false)
         from ${pg.escapeIdentifier(name)}`,
        [name, column, value],
      );
    }
  }
  // Cursors that the original issued after the backup would point to other events here.
  await client.query('update event_log set log_id = gen_random_uuid()');
  await migrateTo(orm, em);
  await holdInstallation(em, `It was restored from ${backup.name}, a backup of ${createdAt}.`);
  for (const name of ourTables(em)) await client.query(`analyze ${pg.escapeIdentifier(name)}`);
}
