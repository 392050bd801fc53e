// For the `mikro-orm` command line only (`npm run migration:create`); the server configures itself in src/database.
import { ormOptions } from './src/database/orm.ts';
import { readDatabaseUrl } from './src/env.ts';

export default ormOptions(readDatabaseUrl() ?? 'postgresql://localhost/slotkeeper');
