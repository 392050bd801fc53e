import type { EntityManager } from '@mikro-orm/postgresql';
import { PREPARED, readOften } from '../../database/prepared.ts';
import { knownColumns, type ReadTables, type Row, readRows } from '../../database/rows.ts';
import { Task } from '../../entities/task.ts';
import { faultsWithinSync } from '../../lib/faults.ts';
import { type TaskFilter, type TaskQuery, whereTask } from '../../tasks/filter.ts';
import { builder } from '../builder.ts';
import { type OrderDirection, OrderDirectionEnum } from '../enums.ts';
import { TaskRef, type TaskRow } from '../refs.ts';
import { type Page, readPage } from '../relay/connection.ts';
import { KeyPages, keysetConnection, keysetPage, type Ordering } from '../relay/keyset.ts';
import { selectedFields } from '../relay/selection.ts';
import { addRepeatItems } from './repeat-item-rows.ts';
import { readTaskBy, TaskByInput } from './task-by.ts';
import { readTaskFilter, TaskFilterInput } from './task-filter.ts';

const ORDERINGS = {
  ID: null,
  NAME: { column: 'name', type: 'text', nullable: false },
  NEXT_RUN_AT: { column: 'next_run_at', type: 'timestamptz', nullable: true },
  LAST_RUN_AT: { column: 'last_run_at', type: 'timestamptz', nullable: true },
} as const satisfies Record<string, Ordering['by']>;

const TaskOrderField = builder.enumType('TaskOrderField', {
  description: 'The sort key of tasks. Tasks without a value come last; ties are sorted by id.',
  values: {
    ID: { description: 'By id, the order in which the tasks were added.' },
    NAME: { description: 'By name, in the collation of the database.' },
    NEXT_RUN_AT: { description: 'By the next slot.' },
    LAST_RUN_AT: { description: 'By when a run last succeeded.' },
  },
});

const TaskOrder = builder.inputType('TaskOrder', {
  description: 'The order of tasks.',
  fields: (t) => ({
    field: t.field({ type: TaskOrderField, required: true, description: 'The sort key.' }),
    direction: t.field({
      type: OrderDirectionEnum,
      required: true,
      defaultValue: 'ASC',
      description: 'The sort direction; ASC by default.',
    }),
  }),
});

/** How tasks are listed unless a client says otherwise. */
const DEFAULT_ORDER: { field: keyof typeof ORDERINGS; direction: OrderDirection } = { field: 'ID', direction: 'ASC' };

const TaskConnection = builder.connectionObject(
  { type: TaskRef, name: 'TaskConnection', description: 'A page of tasks.' },
  { name: 'TaskEdge', description: 'A task in a page.' },
);

type Column = keyof Row<'task'>;

/** The columns of the most frequently selected fields; any other field needs the whole row. */
const COLUMNS: Readonly<Record<string, Column>> = {
  id: 'id',
  legacyId: 'id',
  name: 'name',
  className: 'class_name',
  active: 'active',
  timeZone: 'time_zone',
  repeatItems: 'id',
  overlap: 'overlap',
  nextRunAt: 'next_run_at',
  lastRunAt: 'last_run_at',
  version: 'version',
};

/** The columns that make the fields of a task; null for all. */
function columnsOf(fields: ReadonlySet<string>, { by }: Ordering): Column[] | null {
  const columns = new Set<Column>(['id']);
  if (by !== null) columns.add(by.column as Column);
  for (const field of fields) {
    const column = COLUMNS[field];
    if (column === undefined) return null;
    columns.add(column);
  }
  return [...columns].toSorted();
}

const keyPages = new KeyPages<ReadTables, 'task', TaskRow>('task');

/** The rows of a page, plus one; only `columns`, if given. */
async function readTasks(
  em: EntityManager,
  filter: TaskFilter | null,
  columns: readonly Column[] | null,
  ordering: Ordering,
  page: Page,
): Promise<TaskRow[]> {
  // Columns that were not selected are not read.
  const all = columns ?? (knownColumns(em, Task) as Column[]);
  const selected = () => readRows(em).selectFrom('task').select(all) as TaskQuery<TaskRow>;
  if (filter !== null || ordering.by !== null) {
    const wanted = faultsWithinSync('filter', () => whereTask(selected(), filter));
    return keysetPage(wanted, 'task', ordering, page).execute();
  }
  const live = () => whereTask(selected().modifyFront(PREPARED), null);
  return readOften(em, keyPages.page(String(columns), live, ordering, page));
}

builder.queryFields((t) => ({
  task: t.field({
    type: TaskRef,
    nullable: true,
    description: 'A task by one of its ids, also a deleted one; null if there is none.',
    args: { by: t.arg({ type: TaskByInput, required: true, description: 'The task.' }) },
    resolve: (_root, { by }) => readTaskBy(by, 'by'),
  }),
  tasks: t.connection(
    {
      type: TaskRef,
      description: 'Tasks. Deleted ones are listed only if the filter includes them.',
      args: {
        filter: t.arg({ type: TaskFilterInput, description: 'The filter; all tasks that are not deleted by default.' }),
        orderBy: t.arg({ type: TaskOrder, description: 'The order; by ascending id by default.' }),
      },
      resolve: async (_root, { filter, orderBy, ...args }, { em }, info) => {
        const page = readPage(args);
        const { field, direction } = orderBy ?? DEFAULT_ORDER;
        const ordering = { field, direction, by: ORDERINGS[field] };
        const fields = selectedFields(info, 'edges.node');
        const rows = await readTasks(em, readTaskFilter(filter), columnsOf(fields, ordering), ordering, page);
        if (fields.has('repeatItems')) await addRepeatItems(em, rows.slice(0, page.size));
        return keysetConnection(rows, ordering, page);
      },
    },
    TaskConnection,
  ),
}));
