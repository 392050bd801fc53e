// The tables: what the migrations create, and which states the constraints refuse whatever the code does.
import { readdir } from 'node:fs/promises';
import { MikroORM } from '@mikro-orm/postgresql';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import config from '../../mikro-orm.config.ts';
import { readProductVersion } from '../../src/backup/product-version.ts';
import { migrate } from '../../src/database/migrate.ts';
import { MIGRATIONS_PATH, openOrm } from '../../src/database/orm.ts';
import { catalogOf } from '../support/catalog.ts';
import { EMPTY, type TestDatabase, testDatabase } from '../support/database.ts';
import { dumpedVersions } from '../upgrades/dump.ts';

const quietly = { say: () => undefined };

describe('an empty database', () => {
  let database: TestDatabase;

  beforeEach(async () => {
    database = await testDatabase(EMPTY);
  });

  afterEach(() => database.close());

  test('gets the same tables from the entities as from the migrations, except the constraint that entities cannot express', async () => {
    const migrated = await testDatabase(EMPTY);
    try {
      await migrate(migrated.orm, migrated.url, quietly);
      await database.orm.schema.create();
      const made = await catalogOf(migrated.orm);
      const only = made.filter(({ definition }) => definition.includes('ip_block_no_overlap'));
      expect(only.map(({ kind }) => kind)).toEqual(['constraint', 'index']);
      expect(made.filter((row) => !only.includes(row))).toEqual(await catalogOf(database.orm));
      expect(made.length).toBeGreaterThan(150);
    } finally {
      await migrated.close();
    }
  });

  test('is migrated once by four concurrent starts, each of which then finds it ready', async () => {
    const orms = await Promise.all([1, 2, 3, 4].map(() => openOrm(database.url, 2)));
    try {
      await Promise.all(orms.map((orm) => migrate(orm, database.url, quietly)));
      const files = (await readdir(MIGRATIONS_PATH)).filter((name) => name.endsWith('.ts'));
      const executed = await orms[0]?.migrator.getExecuted();
      expect(executed?.map(({ name }) => name)).toEqual(files.map((name) => name.replace('.ts', '')).sort());
      for (const orm of orms) expect(await orm.em.getConnection().execute('select id from event_log')).toHaveLength(1);
    } finally {
      await Promise.all(orms.map((orm) => orm.close()));
    }
  });
});

describe('a migration whose locks others hold', () => {
  test('lets them go first again and again, says so once, and gives up with a sentence that names the oldest of them', async () => {
    const database = await testDatabase(EMPTY);
    const visitor = new pg.Client({ connectionString: database.url, application_name: 'a visitor' });
    const said: string[] = [];
    const patience = { say: (message: string) => said.push(message), patienceMs: 2_000 };
    try {
      const [first = ''] = (await database.orm.migrator.getPending()).map(({ name }) => name);
      await database.orm.migrator.up({ migrations: [first] });
      await visitor.connect();
      await visitor.query('begin; lock table task in row share mode');
      const others = 'other transactions hold the locks (the oldest one: "a visitor", process ';
      await expect(migrate(database.orm, database.url, patience)).rejects.toThrow(
        `The tables could not be migrated because ${others}`,
      );
      expect(said).toEqual([expect.stringContaining(`The migration waits because ${others}`)]);
      expect(await database.orm.migrator.getExecuted()).toHaveLength(1);
      await visitor.query('rollback');
      await migrate(database.orm, database.url, patience);
      expect(await database.orm.migrator.getPending()).toEqual([]);
    } finally {
      await visitor.end();
      await database.close();
    }
  });
});

test('the version of the package has its dump, with which later versions are tested, made by npm run dump-version', async () => {
  expect(await dumpedVersions()).toContain(await readProductVersion());
});

test('the snapshot from which the next migration starts matches the entities', async () => {
  const database = await testDatabase();
  const orm = await MikroORM.init({ ...config, clientUrl: database.url });
  try {
    expect(await orm.migrator.checkSchema()).toBe(false);
  } finally {
    await orm.close();
    await database.close();
  }
});

describe('the database refuses', () => {
  let database: TestDatabase;

  beforeAll(async () => {
    database = await testDatabase();
    await sql(`insert into app_user (id, name, role) values (1, 'admin', 'ADMIN')`);
    await sql(
      `insert into task (id, name, class_name, active, owner_id, time_zone, created_at, updated_at)
       values (1, 'active', 'C', true, 1, 'UTC', now(), now()), (2, 'paused', 'C', false, 1, 'UTC', now(), now())`,
    );
  });

  afterAll(() => database?.close());

  const sql = (text: string) => database.orm.em.getConnection().execute(text);

  const run = (columns: Record<string, string | number | null>) => {
    const row = { task_id: 1, trigger: 'MANUAL', state: 'QUEUED', actor_id: 1, queued_at: '2026-01-01', ...columns };
    const values = Object.values(row).map((value) => (value === null ? 'null' : `'${value}'`));
    return sql(`insert into run (${Object.keys(row).join(', ')}) values (${values.join(', ')})`);
  };
  const SKIPPED = { state: 'SKIPPED', finished_at: '2026-01-01' };
  const slot = '2026-01-01T10:00:00Z';

  test('a second scheduled run of a slot, while other runs may have the same slot', async () => {
    await run({ trigger: 'SCHEDULE', slot });
    await expect(run({ trigger: 'SCHEDULE', slot })).rejects.toThrow('run_ledger');
    await run({ trigger: 'SCHEDULE', slot, task_id: 2 });
    await run({ trigger: 'RETRY', slot });
    await run({ trigger: 'BACKFILL', slot });
    await run({ trigger: 'BACKFILL', slot });
  });

  test.each([
    ['a slot with seconds', { trigger: 'SCHEDULE', slot: '2026-01-01T10:00:01Z' }, 'run_slot_minute'],
    ['a slot with milliseconds', { trigger: 'SCHEDULE', slot: '2026-01-01T10:00:00.001Z' }, 'run_slot_minute'],
    ['a scheduled run without a slot', { trigger: 'SCHEDULE' }, 'run_slot'],
    ['a skipped run without a reason', { ...SKIPPED }, 'run_skip_reason'],
    ['a reason of a run that was not skipped', { skip_reason: 'OVERLAP' }, 'run_skip_reason'],
    ['a reason that is none', { ...SKIPPED, skip_reason: 'WEATHER' }, 'run_skip_reason_check'],
    ['a finished run without its end', { state: 'SUCCEEDED' }, 'run_finished'],
    ['an end of a run that goes on', { finished_at: '2026-01-01' }, 'run_finished'],
    ['a running run without a job', { state: 'RUNNING', started_at: '2026-01-01' }, 'run_running'],
    ['a state that is none', { state: 'LOST' }, 'run_state_check'],
    ['more than all of the progress', { progress: 1.01 }, 'run_progress'],
    ['a run of no task', { task_id: 99 }, 'run_task_id_foreign'],
  ])('%s', async (_what, columns, constraint) => {
    await expect(run(columns)).rejects.toThrow(constraint);
  });

  test('a next slot of a paused or deleted task, and one that is not a whole minute', async () => {
    const pointAt = (task: number, at: string) => sql(`update task set next_run_at = '${at}' where id = ${task}`);
    await expect(pointAt(2, slot)).rejects.toThrow('task_expects_nothing');
    await expect(pointAt(1, '2026-01-01T10:00:30Z')).rejects.toThrow('task_whole_minute');
    await pointAt(1, slot);
    await expect(sql('update task set active = false where id = 1')).rejects.toThrow('task_expects_nothing');
    await expect(sql('update task set deleted_at = now() where id = 1')).rejects.toThrow('task_expects_nothing');
  });

  test('blocks that overlap in one pool, while another pool may hold the same', async () => {
    const add = (pool: string, cidr: string) =>
      sql(`insert into ip_block (pool, cidr, state) values ('${pool}', '${cidr}', 'AVAILABLE')`);
    await add('one', '10.0.0.0/16');
    for (const cidr of ['10.0.0.0/16', '10.0.1.0/24', '10.0.0.0/8']) {
      await expect(add('one', cidr)).rejects.toThrow('ip_block_no_overlap');
    }
    await add('one', '10.1.0.0/16');
    await add('one', '2001:db8::/32');
    await add('two', '10.0.1.0/24');
  });

  test('a second open version of a schedule', async () => {
    const add = () =>
      sql(`insert into schedule_version (task_id, rules, time_zone, active, valid_from)
           values (1, '[]', 'UTC', true, now())`);
    await add();
    await expect(add()).rejects.toThrow('schedule_version_current');
  });
});
