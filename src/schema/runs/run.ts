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
  description: 'The record of one slot or one request.',
  interfaces: [builder.nodeInterfaceRef()],
  fields: (t) => ({
    id: t.id({ description: 'Global id, unique across all types.', resolve: ({ id }) => toGlobalId('Run', id) }),
    task: t.field({ type: TaskRef, description: 'What was run.', resolve: ({ task_id }) => task_id }),
    slot: t.expose('slot', {
      type: 'DateTime',
      nullable: true,
      description: 'The instant it was due, a whole minute; null for a run by request.',
    }),
    trigger: t.expose('trigger', { type: TriggerEnum, description: 'Why there is this run.' }),
    state: t.expose('state', { type: RunStateEnum, description: 'How far it is.' }),
    skipReason: t.expose('skip_reason', {
      type: SkipReasonEnum,
      nullable: true,
      description: 'Why it was not run, when its state is SKIPPED.',
    }),
    retryOf: t.field({
      type: RunRef,
      nullable: true,
      description: 'The run that it tries again.',
      resolve: ({ retry_of_id }) => retry_of_id,
    }),
    attempt: t.exposeInt('attempt', { description: 'The try under way, or the last; 0 before the first.' }),
    data: t.field({
      type: 'JSON',
      nullable: true,
      description: 'Data for this run alone; null where the task has said it.',
      resolve: ({ data }): unknown => (data === null ? null : JSON.parse(data)),
    }),
    queuedAt: t.expose('queued_at', { type: 'DateTime', description: 'When it was recorded.' }),
    startedAt: t.expose('started_at', {
      type: 'DateTime',
      nullable: true,
      description: 'When its first attempt began.',
    }),
    finishedAt: t.expose('finished_at', { type: 'DateTime', nullable: true, description: 'When it was settled.' }),
    nextAttemptAt: t.expose('next_attempt_at', {
      type: 'DateTime',
      nullable: true,
      description: 'When it is tried again, while it waits for that.',
    }),
    message: t.exposeString('message', { nullable: true, description: 'What the task class, or its failure, said.' }),
    progress: t.float({
      nullable: true,
      description: '0 to 1, as the task class tells.',
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
  description: 'Which runs: those that meet every condition given.',
  fields: (t) => ({
    task: t.field({ type: TaskByInput, description: 'Of this task.' }),
    states: t.field({ type: [RunStateEnum], description: 'In one of these states.' }),
    triggers: t.field({ type: [TriggerEnum], description: 'For one of these triggers.' }),
    skipReasons: t.field({ type: [SkipReasonEnum], description: 'Skipped for one of these reasons.' }),
    retryOf: t.id({ description: 'Tries of this run again.' }),
    slotFrom: t.field({ type: 'DateTime', description: 'With a slot at this instant or later.' }),
    slotTo: t.field({ type: 'DateTime', description: 'With a slot before this instant.' }),
  }),
});

const RunOrderField = builder.enumType('RunOrderField', {
  description: 'What runs are ordered by; the order in which they were recorded decides between equals.',
  values: {
    ID: { description: 'The order in which they were recorded.' },
    SLOT: { description: 'The slot; runs without one come last.' },
  } as const,
});

const RunOrder = builder.inputType('RunOrder', {
  description: 'In which order runs are listed.',
  fields: (t) => ({
    field: t.field({
      type: RunOrderField,
      required: true,
      defaultValue: 'ID',
      description: 'What they are ordered by.',
    }),
    direction: t.field({
      type: OrderDirectionEnum,
      required: true,
      defaultValue: 'DESC',
      description: 'DESC is newest first.',
    }),
  }),
});

export const RunConnection = builder.connectionObject(
  { type: RunRef, name: 'RunConnection', description: 'A page of runs.' },
  { name: 'RunEdge', description: 'A run of a page.' },
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
    description: 'A run by its id; null when there is none.',
    args: { id: t.arg.id({ required: true, description: 'Which one.' }) },
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
