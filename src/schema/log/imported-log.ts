// The history of a task on the installation that it was imported from (see `src/import/history.ts`).
import { type Row, readRows } from '../../database/rows.ts';
import { builder } from '../builder.ts';
import { readPage } from '../relay/connection.ts';
import { keysetConnection, keysetPage, type Ordering } from '../relay/keyset.ts';
import { readTaskBy, TaskByInput } from '../tasks/task-by.ts';

const ImportedLogEntryRef = builder.objectRef<Row<'imported_log'>>('ImportedLogEntry').implement({
  description: 'An entry in the history of a task from the installation that it was imported from.',
  fields: (t) => ({
    logId: t.string({ description: 'The number of the entry there.', resolve: ({ id }) => String(id) }),
    at: t.expose('at', { type: 'DateTime', description: 'When the event happened.' }),
    level: t.exposeString('level', { nullable: true, description: 'The severity: a syslog level number, as text.' }),
    category: t.exposeString('category', {
      nullable: true,
      description: 'The component of the old product, such as System.',
    }),
    message: t.exposeString('message', { description: 'The message, as the old server wrote it.' }),
    userLegacyId: t.exposeInt('user_id', { nullable: true, description: 'The id of the user there.' }),
    username: t.exposeString('username', { nullable: true, description: 'The name of the user there, at that time.' }),
    ip: t.exposeString('ip', {
      nullable: true,
      description: 'The address that the old server recorded; null if none.',
    }),
  }),
});

const ImportedLogConnection = builder.connectionObject(
  { type: ImportedLogEntryRef, name: 'ImportedLogConnection', description: 'A page of an imported history.' },
  { name: 'ImportedLogEdge', description: 'An entry in a page.' },
);

const OLDEST_FIRST: Ordering = { field: 'ID', direction: 'ASC', by: null };

builder.queryField('importedLog', (t) =>
  t.connection(
    {
      type: ImportedLogEntryRef,
      description:
        'The history imported with a task from its former installation, ordered by its numbers there. What happened here is in `events`.',
      args: { task: t.arg({ type: TaskByInput, required: true, description: 'The task.' }) },
      resolve: async (_root, { task, ...args }, { em }) => {
        const page = readPage(args);
        const taskId = readTaskBy(task, 'task');
        const query = readRows(em)
          .selectFrom('imported_log')
          .selectAll()
          .where('task_id', '=', taskId)
          // A history is imported before its task, and is not visible until the task exists.
          .where(({ exists, selectFrom }) =>
            exists(selectFrom('task').select('task.id').where('task.id', '=', taskId)),
          );
        const rows = await keysetPage(query, 'imported_log', OLDEST_FIRST, page).execute();
        return keysetConnection(rows, OLDEST_FIRST, page);
      },
    },
    ImportedLogConnection,
  ),
);
