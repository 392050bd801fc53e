// The lists of the old API, which knows no pages: all of them are read, page by page.
import { LegacyError, noTask } from './legacy-error.ts';
import type { LegacyQuery } from './prepared-call.ts';
import {
  type EventRow,
  HISTORY_TYPES,
  historyRow,
  type ImportedRow,
  importedRow,
  type TaskRow,
  taskRow,
} from './reply.ts';

/** A reply is one text in memory. Of a longer history the newest rows are given. */
const MAX_HISTORY_ROWS = 100_000;
/** An incomplete list of tasks would be wrong, so a longer one is an error. */
const MAX_TASKS = 100_000;

interface HistoryPage {
  events: { edges: { node: EventRow }[]; pageInfo: { hasPreviousPage: boolean; startCursor: string | null } };
}

interface ImportedPage {
  importedLog: { edges: { node: ImportedRow }[]; pageInfo: { hasPreviousPage: boolean; startCursor: string | null } };
}

const IMPORTED = `query LegacyImportedHistory($task: TaskBy!, $before: String) {
  importedLog(task: $task, last: 500, before: $before) {
    edges { node { logId at level category message userLegacyId username ip } }
    pageInfo { hasPreviousPage startCursor }
  }
}`;

/** A row as it is answered, and when that happened. */
interface TimedRow {
  at: number;
  text: string;
}

/** The rows, newest first, including imported ones. Throws LegacyError if the task never existed. */
export async function readHistory(
  query: LegacyQuery,
  document: string,
  task: { legacyId: number },
  timeZone: string,
): Promise<string[]> {
  const [own, imported] = await Promise.all([
    allPages(async (before) => {
      const { events }: HistoryPage = await query(document, { task, types: HISTORY_TYPES, before });
      return { ...events, toText: (event: EventRow) => historyRow(event, task.legacyId, timeZone) };
    }),
    allPages(async (before) => {
      const { importedLog }: ImportedPage = await query(IMPORTED, { task, before });
      return { ...importedLog, toText: (entry: ImportedRow) => importedRow(entry, timeZone) };
    }),
  ]);
  if (own.length + imported.length === 0) await requireTask(query, task);
  return newestFirst(own, imported);
}

interface BackwardPage<Node> {
  edges: { node: Node }[];
  pageInfo: { hasPreviousPage: boolean; startCursor: string | null };
  toText(node: Node): string;
}

/** The rows of a list, newest first; each page is in the order of the list. */
async function allPages<Node extends { at: string }>(
  readPage: (before: string | null) => Promise<BackwardPage<Node>>,
): Promise<TimedRow[]> {
  const rows: TimedRow[] = [];
  let before: string | null = null;
  do {
    const { edges, pageInfo, toText }: BackwardPage<Node> = await readPage(before);
    for (const { node } of edges.toReversed()) rows.push({ at: new Date(node.at).getTime(), text: toText(node) });
    before = pageInfo.hasPreviousPage ? pageInfo.startCursor : null;
  } while (before !== null && rows.length < MAX_HISTORY_ROWS);
  return rows;
}

/** Both keep their order; the old installation may have run for a while after the first import. */
function newestFirst(own: readonly TimedRow[], imported: readonly TimedRow[]): string[] {
  const texts: string[] = [];
  let next = 0;
  for (const { at, text } of own) {
    for (; (imported[next]?.at ?? Number.NEGATIVE_INFINITY) > at; next += 1) texts.push(imported[next]?.text ?? '');
    texts.push(text);
  }
  for (const { text } of imported.slice(next)) texts.push(text);
  return texts.slice(0, MAX_HISTORY_ROWS);
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
