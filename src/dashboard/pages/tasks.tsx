import { useCallback, useEffect, useState } from 'react';
import { Link } from 'wouter';
import { useSession } from '../context.ts';
import {
  ExecuteTaskDocument,
  PauseTaskDocument,
  ResumeTaskDocument,
  TasksDocument,
  type TasksQuery,
  type TasksQueryVariables,
} from '../operations.ts';
import { Countdown, Empty, Failure, Time, useNow } from '../parts.tsx';
import { AddTaskLink } from '../task-actions.tsx';

const PAGE = 50;
const TYPED_MS = 250;

type Task = TasksQuery['tasks']['edges'][number]['node'];
type Order = NonNullable<TasksQueryVariables['orderBy']>;

const ORDERS: { label: string; order: Order }[] = [
  { label: 'Next run', order: { field: 'NEXT_RUN_AT', direction: 'ASC' } },
  { label: 'Name', order: { field: 'NAME', direction: 'ASC' } },
  { label: 'Last success', order: { field: 'LAST_RUN_AT', direction: 'DESC' } },
  { label: 'Newest', order: { field: 'ID', direction: 'DESC' } },
];

const FILTERS: { label: string; filter: { active?: boolean; lastRunState?: 'FAILED' } }[] = [
  { label: 'All', filter: {} },
  { label: 'Active', filter: { active: true } },
  { label: 'Paused', filter: { active: false } },
  { label: 'Last run failed', filter: { lastRunState: 'FAILED' } },
];

/** A page of tasks as the server has them, and how to load the next. */
function useTasks(name: string, filter: number, order: number) {
  const { client } = useSession();
  const [tasks, setTasks] = useState<Task[] | null>(null);
  const [next, setNext] = useState<string | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  const load = useCallback(
    async (after: string | null, isWanted: () => boolean) => {
      const { data, error } = await client
        .query(TasksDocument, {
          first: PAGE,
          after,
          filter: { ...FILTERS[filter]?.filter, ...(name === '' ? {} : { name }) },
          orderBy: ORDERS[order]?.order ?? null,
        })
        .toPromise();
      if (!isWanted()) return;
      setFailure(error?.message ?? null);
      if (data === undefined) return;
      const page = data.tasks.edges.map(({ node }) => node);
      setTasks((known) => (after === null ? page : [...(known ?? []), ...page]));
      setNext(data.tasks.pageInfo.hasNextPage ? (data.tasks.pageInfo.endCursor ?? null) : null);
    },
    [client, name, filter, order],
  );
  useEffect(() => {
    let isWanted = true;
    const timer = setTimeout(() => void load(null, () => isWanted), name === '' ? 0 : TYPED_MS);
    return () => {
      isWanted = false;
      clearTimeout(timer);
    };
  }, [load, name]);
  return { tasks, next, failure, load, setFailure };
}

export function TasksPage() {
  const [name, setName] = useState('');
  const [filter, setFilter] = useState(0);
  const [order, setOrder] = useState(0);
  const { tasks, next, failure, load, setFailure } = useTasks(name, filter, order);
  const now = useNow();
  const reload = () => load(null, () => true);
  return (
    <>
      <header className="page-head">
        <h1>Tasks</h1>
        <AddTaskLink />
      </header>
      <form className="filters" onSubmit={(event) => event.preventDefault()}>
        <label>
          Search
          <input type="search" value={name} onChange={(event) => setName(event.target.value)} placeholder="Name" />
        </label>
        <label>
          Show
          <select value={filter} onChange={(event) => setFilter(Number(event.target.value))}>
            {FILTERS.map(({ label }, index) => (
              <option key={label} value={index}>
                {label}
              </option>
            ))}
          </select>
        </label>
        <label>
          Order by
          <select value={order} onChange={(event) => setOrder(Number(event.target.value))}>
            {ORDERS.map(({ label }, index) => (
              <option key={label} value={index}>
                {label}
              </option>
            ))}
          </select>
        </label>
      </form>
      <Failure message={failure} />
      {tasks?.length ? (
        <div className="scroll">
          <table>
            <caption className="hidden">Tasks</caption>
            <thead>
              <tr>
                <th scope="col">Name</th>
                <th scope="col">Class</th>
                <th scope="col">Next run</th>
                <th scope="col">Last success</th>
                <th scope="col">Owner</th>
                <th scope="col">
                  <span className="hidden">Actions</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {tasks.map((task) => (
                <TaskRow key={task.id} task={task} now={now} onChanged={reload} onFailure={setFailure} />
              ))}
            </tbody>
          </table>
          {next !== null && (
            <button type="button" className="more" onClick={() => void load(next, () => true)}>
              Show more
            </button>
          )}
        </div>
      ) : (
        <Empty>
          {tasks === null
            ? 'Loading…'
            : name === '' && filter === 0
              ? ['There is no task yet. ', <AddTaskLink key="add" />]
              : 'No task fits.'}
        </Empty>
      )}
    </>
  );
}

interface TaskRowProps {
  task: Task;
  now: number;
  onChanged: () => void;
  onFailure: (message: string | null) => void;
}

function TaskRow({ task, now, onChanged, onFailure }: TaskRowProps) {
  const { client, viewer } = useSession();
  const [started, setStarted] = useState<string | null>(null);
  const mayChange = viewer.role === 'ADMIN' || (viewer.role === 'OPERATOR' && task.owner.id === viewer.id);
  const toggle = async () => {
    const document = task.active ? PauseTaskDocument : ResumeTaskDocument;
    const { error } = await client.mutation(document, { id: task.id }).toPromise();
    onFailure(error?.message ?? null);
    onChanged();
  };
  const run = async () => {
    // Sent twice, by a network that repeats, it runs once.
    const { data, error } = await client
      .mutation(ExecuteTaskDocument, { id: task.id, key: crypto.randomUUID() })
      .toPromise();
    onFailure(error?.message ?? null);
    setStarted(data?.executeTask?.run?.id ?? null);
  };
  return (
    <tr>
      <th scope="row">
        <Link href={`/tasks/${encodeURIComponent(task.id)}`}>{task.name}</Link>
      </th>
      <td>
        {task.className.split('\\').at(-1)}
        {!task.hasRunner && <span className="badge failed">no runner</span>}
      </td>
      <td>
        {task.active ? (
          <Countdown to={task.nextRunAt} now={now} timeZone={task.timeZone} />
        ) : (
          <span className="badge">Paused</span>
        )}
      </td>
      <td>
        <Time at={task.lastRunAt} timeZone={task.timeZone} />
      </td>
      <td>{task.owner.name}</td>
      <td className="actions">
        {mayChange && (
          <>
            <button type="button" onClick={() => void run()}>
              Run now<span className="hidden">: {task.name}</span>
            </button>
            <button type="button" onClick={() => void toggle()}>
              {task.active ? 'Pause' : 'Resume'}
              <span className="hidden">: {task.name}</span>
            </button>
          </>
        )}
        {started !== null && <Link href={`/runs/${encodeURIComponent(started)}`}>Watch</Link>}
      </td>
    </tr>
  );
}
