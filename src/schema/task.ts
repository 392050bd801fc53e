import type { EntityManager } from '@mikro-orm/postgresql';
import { PREPARED, readOften } from '../database/prepared.ts';
import { knownColumns, type ReadTables, type Row, readRows } from '../database/rows.ts';
import { Task } from '../entities/task.ts';
import { toGlobalId } from '../lib/global-id.ts';
import { builder } from './builder.ts';
import { type Page, readPage } from './connection.ts';
import { CatchUpPolicyEnum, type OrderDirection, OrderDirectionEnum, OverlapPolicyEnum } from './enums.ts';
import { KeyPages, keysetConnection, keysetPage, type Ordering } from './keyset.ts';
import { RepeatItemRef, TaskRef, type TaskRow, UserRef } from './refs.ts';
import { addRepeatItems, loadRepeatItems } from './repeat-item-rows.ts';
import { selectedFields } from './selection.ts';
import { readTaskBy, TaskByInput } from './task-by.ts';
import { TaskFilter, type TaskFilterInput, type TaskQuery, whereTask } from './task-filter.ts';

const RetryPolicyRef = builder.objectRef<TaskRow>('RetryPolicy').implement({
  description: 'How a failed attempt is tried again.',
  fields: (t) => ({
    attempts: t.exposeInt('retry_attempts', { description: 'Tries of one run, the first included.' }),
    delaySeconds: t.exposeInt('retry_delay_seconds', { description: 'Seconds before the second try.' }),
    backoff: t.float({
      description: 'Each further delay is this many times the one before.',
      resolve: ({ retry_backoff }) => Number(retry_backoff),
    }),
    jitter: t.float({
      description: 'Up to this part of a delay is added to it at random.',
      resolve: ({ retry_jitter }) => Number(retry_jitter),
    }),
  }),
});

TaskRef.implement({
  description: 'What to do, for whom and when.',
  interfaces: [builder.nodeInterfaceRef()],
  fields: (t) => ({
    id: t.id({ description: 'Unique among all types.', resolve: ({ id }) => toGlobalId('Task', id) }),
    legacyId: t.exposeInt('id', { description: 'The id in the old API.' }),
    name: t.exposeString('name', { description: 'What users call it.' }),
    className: t.exposeString('class_name', { description: 'The task class that does the work.' }),
    active: t.exposeBoolean('active', { description: 'false while it is paused: it then expects no slot.' }),
    data: t.field({
      type: 'JSON',
      nullable: true,
      description: 'The object handed to the task class.',
      resolve: ({ data }): unknown => (data === null ? null : JSON.parse(data)),
    }),
    dataText: t.exposeString('data', { nullable: true, description: '`data` as its sender wrote it.' }),
    owner: t.field({ type: UserRef, description: 'Whose task it is.', resolve: ({ owner_id }) => owner_id }),
    timeZone: t.exposeString('time_zone', { description: 'The IANA zone of its clock.' }),
    repeatItems: t.field({
      type: [RepeatItemRef],
      description: 'The rules that say when it is due, in id order; without any it runs on request alone.',
      // Most tasks have few.
      complexity: { field: 1, multiplier: 4 },
      resolve: ({ id, repeat_items }, _args, context) => repeat_items ?? loadRepeatItems(context, id),
    }),
    overlap: t.expose('overlap', { type: OverlapPolicyEnum, description: 'What a slot does to an unfinished run.' }),
    queueLimit: t.exposeInt('queue_limit', { description: 'How many runs may wait under the overlap policy QUEUE.' }),
    catchUp: t.expose('catch_up', { type: CatchUpPolicyEnum, description: 'Which missed slots are run.' }),
    misfireGraceSeconds: t.exposeInt('misfire_grace_seconds', {
      description: 'A slot is missed once it is so many seconds late.',
    }),
    catchUpMaxAgeSeconds: t.exposeInt('catch_up_max_age_seconds', {
      nullable: true,
      description: 'A missed slot older than so many seconds is never run; null for no bound.',
    }),
    retry: t.field({
      type: RetryPolicyRef,
      description: 'How a failed attempt is tried again.',
      resolve: (task) => task,
    }),
    timeoutSeconds: t.exposeInt('timeout_seconds', { description: 'Seconds that one attempt may take.' }),
    nextRunAt: t.expose('next_run_at', {
      type: 'DateTime',
      nullable: true,
      description: 'The next slot; null when it expects none.',
    }),
    lastRunAt: t.expose('last_run_at', {
      type: 'DateTime',
      nullable: true,
      description: 'When a run of it last succeeded; null before the first.',
    }),
    version: t.exposeInt('version', { description: 'Counts the edits by users; give it back as `expectedVersion`.' }),
    createdAt: t.expose('created_at', { type: 'DateTime', description: 'When it was added.' }),
    updatedAt: t.expose('updated_at', { type: 'DateTime', description: 'When a user last edited it.' }),
    deletedAt: t.expose('deleted_at', {
      type: 'DateTime',
      nullable: true,
      description: 'When it was deleted; its history and its ids stay.',
    }),
  }),
});

const ORDERINGS = {
  ID: null,
  NAME: { column: 'name', type: 'text', nullable: false },
  NEXT_RUN_AT: { column: 'next_run_at', type: 'timestamptz', nullable: true },
  LAST_RUN_AT: { column: 'last_run_at', type: 'timestamptz', nullable: true },
} as const satisfies Record<string, Ordering['by']>;

const TaskOrderField = builder.enumType('TaskOrderField', {
  description: 'What tasks are ordered by; those without a value come last, and the id decides between equals.',
  values: {
    ID: { description: 'The order in which they were added.' },
    NAME: { description: 'The name, in the order of the database.' },
    NEXT_RUN_AT: { description: 'The next slot.' },
    LAST_RUN_AT: { description: 'When a run of it last succeeded.' },
  },
});

const TaskOrder = builder.inputType('TaskOrder', {
  description: 'In which order tasks are listed.',
  fields: (t) => ({
    field: t.field({ type: TaskOrderField, required: true, description: 'What they are ordered by.' }),
    direction: t.field({
      type: OrderDirectionEnum,
      required: true,
      defaultValue: 'ASC',
      description: 'Which end first.',
    }),
  }),
});

/** How tasks are listed unless a client says otherwise. */
const DEFAULT_ORDER: { field: keyof typeof ORDERINGS; direction: OrderDirection } = { field: 'ID', direction: 'ASC' };

export const TaskConnection = builder.connectionObject(
  { type: TaskRef, name: 'TaskConnection', description: 'A page of tasks.' },
  { name: 'TaskEdge', description: 'A task of a page.' },
);

type Column = keyof Row<'task'>;

/** What the fields that lists ask for most are made of; any other may look at the whole row. */
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

/** The rows of a page, with one more than it holds; of `columns` alone where they are said. */
async function readTasks(
  em: EntityManager,
  filter: TaskFilterInput | null | undefined,
  columns: readonly Column[] | null,
  ordering: Ordering,
  page: Page,
): Promise<TaskRow[]> {
  // What was not selected is not looked at.
  const all = columns ?? (knownColumns(em, Task) as Column[]);
  const selected = () => readRows(em).selectFrom('task').select(all) as TaskQuery<TaskRow>;
  if (filter != null || ordering.by !== null) {
    return keysetPage(whereTask(selected(), filter, 'filter'), 'task', ordering, page).execute();
  }
  const live = () => whereTask(selected().modifyFront(PREPARED), null, 'filter');
  return readOften(em, keyPages.page(String(columns), live, ordering, page));
}

builder.queryFields((t) => ({
  task: t.field({
    type: TaskRef,
    nullable: true,
    description: 'A task by one of its ids, deleted ones included; null when there is none.',
    args: { by: t.arg({ type: TaskByInput, required: true, description: 'Which one.' }) },
    resolve: (_root, { by }) => readTaskBy(by, 'by'),
  }),
  tasks: t.connection(
    {
      type: TaskRef,
      description: 'Tasks; deleted ones only if the filter includes them.',
      args: {
        filter: t.arg({ type: TaskFilter, description: 'Which ones; every live one unless given.' }),
        orderBy: t.arg({ type: TaskOrder, description: 'In which order; by ascending id unless given.' }),
      },
      resolve: async (_root, { filter, orderBy, ...args }, { em }, info) => {
        const page = readPage(args);
        const { field, direction } = orderBy ?? DEFAULT_ORDER;
        const ordering = { field, direction, by: ORDERINGS[field] };
        const fields = selectedFields(info, 'edges.node');
        const rows = await readTasks(em, filter, columnsOf(fields, ordering), ordering, page);
        if (fields.has('repeatItems')) await addRepeatItems(em, rows.slice(0, page.size));
        return keysetConnection(rows, ordering, page);
      },
    },
    TaskConnection,
  ),
}));
