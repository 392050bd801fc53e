import { type Expression, type SelectQueryBuilder, sql } from 'kysely';
import { type ReadTables, readRows } from '../../database/rows.ts';
import { toText } from '../../database/timestamp.ts';
import { readGlobalId, toGlobalId } from '../../lib/global-id.ts';
import { readList } from '../../lib/input.ts';
import { builder } from '../builder.ts';
import { connectionComplexity } from '../complexity.ts';
import { type OrderDirection, OrderDirectionEnum, RunStateEnum, SkipReasonEnum, TriggerEnum } from '../enums.ts';
import { RunRef, TaskRef, UserRef } from '../refs.ts';
import { type Page, readPage } from '../relay/connection.ts';
import { keysetConnection, keysetPage, type Ordering } from '../relay/keyset.ts';
import { pagesOfParents } from '../relay/lateral.ts';
import { readTaskBy, TaskByInput } from '../tasks/task-by.ts';

RunRef.implement({
  description: 'A run: the record of one slot or one request.',
  interfaces: [builder.nodeInterfaceRef()],
  fields: (t) => ({
    id: t.id({ description: 'Global id, unique across all types.', resolve: ({ id }) => toGlobalId('Run', id) }),
    task: t.field({ type: TaskRef, description: 'The task of the run.', resolve: ({ task_id }) => task_id }),
    slot: t.expose('slot', {
      type: 'DateTime',
      nullable: true,
      description: 'The slot, a whole minute; null for a requested run.',
    }),
    trigger: t.expose('trigger', { type: TriggerEnum, description: 'Why the run exists.' }),
    state: t.expose('state', { type: RunStateEnum, description: 'The state of the run.' }),
    skipReason: t.expose('skip_reason', {
      type: SkipReasonEnum,
      nullable: true,
      description: 'Why the slot was skipped; null unless the state is SKIPPED.',
    }),
    retryOf: t.field({
      type: RunRef,
      nullable: true,
      description: 'The run that this one retries; null if it is not a retry.',
      resolve: ({ retry_of_id }) => retry_of_id,
    }),
    attempt: t.exposeInt('attempt', { description: 'Number of the current or last attempt; 0 before the first.' }),
    data: t.field({
      type: 'JSON',
      nullable: true,
      description: 'Data for this run only; null if the data of the task applies.',
      resolve: ({ data }): unknown => (data === null ? null : JSON.parse(data)),
    }),
    queuedAt: t.expose('queued_at', { type: 'DateTime', description: 'When the run was recorded.' }),
    startedAt: t.expose('started_at', {
      type: 'DateTime',
      nullable: true,
      description: 'When the first attempt began; null before that.',
    }),
    finishedAt: t.expose('finished_at', {
      type: 'DateTime',
      nullable: true,
      description: 'When the run finished; null before that.',
    }),
    nextAttemptAt: t.expose('next_attempt_at', {
      type: 'DateTime',
      nullable: true,
      description: 'When the next attempt starts; null unless the run waits for a retry.',
    }),
    message: t.exposeString('message', { nullable: true, description: 'The message of the task class, or the error.' }),
    progress: t.float({
      nullable: true,
      description: 'Progress from 0 to 1, as reported by the task class.',
      resolve: ({ progress }) => (progress === null ? null : Number(progress)),
    }),
    actor: t.field({
      type: UserRef,
      description: 'The user who requested it; for a slot, the owner of the task at that time.',
      resolve: ({ actor_id }) => actor_id,
    }),
  }),
});

const RunFilter = builder.inputType('RunFilter', {
  description: 'Selects the runs that match every given condition.',
  fields: (t) => ({
    task: t.field({ type: TaskByInput, description: 'Runs of this task.' }),
    states: t.field({ type: [RunStateEnum], description: 'Runs in one of these states.' }),
    triggers: t.field({ type: [TriggerEnum], description: 'Runs with one of these triggers.' }),
    skipReasons: t.field({ type: [SkipReasonEnum], description: 'Runs skipped for one of these reasons.' }),
    retryOf: t.id({ description: 'Retries of this run.' }),
    slotFrom: t.field({ type: 'DateTime', description: 'Runs with a slot at this instant or later.' }),
    slotTo: t.field({ type: 'DateTime', description: 'Runs with a slot before this instant.' }),
  }),
});

const RunOrderField = builder.enumType('RunOrderField', {
  description: 'The sort key of runs. Ties are sorted by the order in which the runs were recorded.',
  values: {
    ID: { description: 'By the order in which the runs were recorded.' },
    SLOT: { description: 'By slot; runs without one come last.' },
  } as const,
});

const RunOrder = builder.inputType('RunOrder', {
  description: 'The order of runs.',
  fields: (t) => ({
    field: t.field({
      type: RunOrderField,
      required: true,
      defaultValue: 'ID',
      description: 'The sort key.',
    }),
    direction: t.field({
      type: OrderDirectionEnum,
      required: true,
      defaultValue: 'DESC',
      description: 'The sort direction; DESC is newest first.',
    }),
  }),
});

const RunConnection = builder.connectionObject(
  { type: RunRef, name: 'RunConnection', description: 'A page of runs.' },
  { name: 'RunEdge', description: 'A run in a page.' },
);

interface RunArgs {
  filter?: typeof RunFilter.$inferInput | null | undefined;
  orderBy?: typeof RunOrder.$inferInput | null | undefined;
}

type RunQuery<Output> = SelectQueryBuilder<ReadTables, 'run', Output>;

function whereRun<Output>(query: RunQuery<Output>, filter: RunArgs['filter']): RunQuery<Output> {
  let found = query;
  if (filter == null) return found;
  if (filter.task != null) found = found.where('run.task_id', '=', readTaskBy(filter.task, 'filter.task'));
  if (filter.states != null) found = found.where(isOneOf('states', filter.states));
  if (filter.triggers != null) found = found.where(isOneOf('triggers', filter.triggers));
  if (filter.skipReasons != null) found = found.where(isOneOf('skipReasons', filter.skipReasons));
  if (filter.retryOf != null) {
    found = found.where('run.retry_of_id', '=', readGlobalId('Run', filter.retryOf, 'filter.retryOf'));
  }
  if (filter.slotFrom != null) found = found.where('run.slot', '>=', toText(filter.slotFrom));
  if (filter.slotTo != null) found = found.where('run.slot', '<', toText(filter.slotTo));
  return found;
}

const LISTED = { states: 'run.state', triggers: 'run.trigger', skipReasons: 'run.skip_reason' } as const;

function isOneOf(field: keyof typeof LISTED, values: readonly string[]): Expression<boolean> {
  return sql<boolean>`${sql.ref(LISTED[field])} = any(${readList(values, `filter.${field}`)}::text[])`;
}

function orderOf({ orderBy, filter }: RunArgs): Ordering {
  const direction: OrderDirection = orderBy?.direction ?? 'DESC';
  if (orderBy?.field !== 'SLOT') return { field: 'ID', direction, by: null };
  const nullable = filter?.slotFrom == null && filter?.slotTo == null;
  return { field: 'SLOT', direction, by: { column: 'slot', type: 'timestamptz', nullable } };
}

function pageQuery<Output>(query: RunQuery<Output>, args: RunArgs, page: Page): RunQuery<Output> {
  return keysetPage(whereRun(query, args.filter), 'run', orderOf(args), page);
}

builder.queryFields((t) => ({
  run: t.field({
    type: RunRef,
    nullable: true,
    description: 'A run by its id; null if there is none.',
    args: { id: t.arg.id({ required: true, description: 'The id of the run.' }) },
    resolve: (_root, { id }) => readGlobalId('Run', id, 'id'),
  }),
  runs: t.connection(
    {
      type: RunRef,
      description: 'Runs, newest first by default.',
      args: {
        filter: t.arg({ type: RunFilter, description: 'The filter; all by default.' }),
        orderBy: t.arg({ type: RunOrder, description: 'The order; newest first by default.' }),
      },
      resolve: async (_root, args, { em }) => {
        const page = readPage(args);
        const rows = await pageQuery(readRows(em).selectFrom('run').selectAll(), args, page).execute();
        return keysetConnection(rows, orderOf(args), page);
      },
    },
    RunConnection,
  ),
}));

builder.objectField(TaskRef, 'runs', (t) =>
  t.loadable({
    type: RunConnection,
    description: 'The runs of the task, newest first by default.',
    complexity: connectionComplexity,
    args: {
      ...t.arg.connectionArgs(),
      filter: t.arg({ type: RunFilter, description: 'The filter; all by default.' }),
      orderBy: t.arg({ type: RunOrder, description: 'The order; newest first by default.' }),
    },
    byPath: true,
    load: async (taskIds: number[], { em }, args) => {
      const page = readPage(args);
      const ordering = orderOf(args);
      const runs = readRows(em).selectFrom('run').selectAll();
      const pages = await pagesOfParents(
        em,
        taskIds,
        (taskId) => pageQuery(runs.where('run.task_id', '=', taskId), args, page),
        {
          parent: 'task_id',
          order: ordering.by?.column ?? 'id',
          tieBreaker: 'id',
          ascending: (ordering.direction === 'ASC') !== page.backward,
          nullsFirst: page.backward,
        },
      );
      return pages.map((rows) => keysetConnection(rows, ordering, page));
    },
    loaderOptions: { cache: false },
    resolve: ({ id }) => id,
  }),
);
