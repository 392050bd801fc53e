// The lists of the old API, which knows no pages: all of them are read, page by page.
import { LegacyError, noTask } from './legacy-error.ts';
import { type EventRow, HISTORY_TYPES, historyRow, type TaskRow, taskRow } from './reply.ts';

/** Executes a document. Throws a LegacyError for what the caller did wrong, any other error for what is our fault. */
export type LegacyQuery = <Data>(document: string, variables: Record<string, unknown>) => Promise<Data>;

/** A reply is one text in memory. Of a longer history the newest rows are given. */
const MAX_HISTORY_ROWS = 100_000;
/** A list of tasks with some left out would be wrong, so a longer one is an error. */
const MAX_TASKS = 100_000;

interface HistoryPage {
  events: { edges: { node: EventRow }[]; pageInfo: { hasPreviousPage: boolean; startCursor: string | null } };
}

/** The rows, newest first; each page is in the order of the log. Throws a LegacyError for a task that never was. */
export async function readHistory(
  query: LegacyQuery,
  document: string,
  task: { legacyId: number },
  timeZone: string,
): Promise<string[]> {
  const rows: string[] = [];
  let before: string | null = null;
  do {
    const { events }: HistoryPage = await query(document, { task, types: HISTORY_TYPES, before });
    rows.push(...events.edges.toReversed().map(({ node }) => historyRow(node, task.legacyId, timeZone)));
    before = events.pageInfo.hasPreviousPage ? events.pageInfo.startCursor : null;
  } while (before !== null && rows.length < MAX_HISTORY_ROWS);
  if (rows.length === 0) await requireTask(query, task);
  return rows;
}

/** The history of a deleted task stays readable; retention may have emptied that of any. */
async function requireTask(query: LegacyQuery, task: { legacyId: number }): Promise<void> {
  const document = 'query LegacyTaskExists($task: TaskBy!) { task(by: $task) { legacyId } }';
  const found = await query<{ task: { legacyId: number } | null }>(document, { task });
  if (found.task === null) throw noTask('taskId', task.legacyId);
}

interface TaskPage {
  tasks: { edges: { node: TaskRow }[]; pageInfo: { hasNextPage: boolean; endCursor: string | null } };
}

/** The rows, in the order of the connection. */
export async function readTasks(query: LegacyQuery, document: string, timeZone: string): Promise<string[]> {
  const rows: string[] = [];
  let after: string | null = null;
  do {
    const { tasks }: TaskPage = await query(document, { after });
    rows.push(...tasks.edges.map(({ node }) => taskRow(node, timeZone)));
    if (rows.length > MAX_TASKS) throw new LegacyError(`there are more than ${MAX_TASKS} tasks; use the GraphQL API`);
    after = tasks.pageInfo.hasNextPage ? tasks.pageInfo.endCursor : null;
  } while (after !== null);
  return rows;
}
