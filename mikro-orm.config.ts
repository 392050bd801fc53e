// For the `mikro-orm` command line only (`npm run migration:create`); the server configures itself in src/database.
import { ormOptions } from './src/database/orm.ts';
import { readDatabaseUrl } from './src/settings.ts';

const options = ormOptions(readDatabaseUrl() ?? 'postgresql://localhost/slotkeeper');

// The snapshot of the entities, beside the migrations, is what a new migration is compared with; the server never
// writes it.
export default { ...options, migrations: { ...options.migrations, snapshot: true, snapshotName: '.snapshot' } };
