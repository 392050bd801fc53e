// A version of the product that is newer than this one by a migration: a copy of the sources in a folder of its own.
import { cp, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export const NEWEST_MIGRATION = 'Migration29990101000000';

/** Locks one table after another, as most migrations do; what it adds is what older code does not miss. */
const MIGRATION = `
import { Migration } from '@mikro-orm/migrations';

export class ${NEWEST_MIGRATION} extends Migration {
  override up(): void {
    this.addSql('create table "note" ("id" bigserial primary key, "run_id" bigint not null)');
    this.addSql('alter table "run" add "note" text null');
    this.addSql('create index "run_by_note" on "run" ("note") where note is not null');
    this.addSql('alter table "task" add "note" text null');
  }
}
`;

export interface NewerVersion {
  /** As `chaos-process.ts`. */
  program: string;
  remove(): Promise<void>;
}

export async function makeNewerVersion(): Promise<NewerVersion> {
  const folder = await mkdtemp(join(tmpdir(), 'slotkeeper-newer-'));
  const program = 'test/support/chaos-process.ts';
  for (const path of ['src', 'package.json', program])
    await cp(join(ROOT, path), join(folder, path), { recursive: true });
  for (const path of ['node_modules', 'dist']) await symlink(join(ROOT, path), join(folder, path));
  await writeFile(join(folder, 'src/database/migrations', `${NEWEST_MIGRATION}.ts`), MIGRATION);
  return { program: join(folder, program), remove: () => rm(folder, { recursive: true }) };
}
