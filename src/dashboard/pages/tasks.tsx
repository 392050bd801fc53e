import './tasks.css';
import { useEffect, useMemo, useRef, useState } from 'react';
import { Link, useSearchParams } from 'wouter';
import { type TaskLine, useTasks, type Wanted } from '../live/use-tasks.ts';
import { whileCurrent } from '../live/while-current.ts';
import { ClassNamesDocument, type ClassNamesQuery } from '../operations.ts';
import { TYPED_MS } from '../parts/intervals.ts';
import { Ago, Countdown, Empty, Failure, PageTitle, StateBadge, useNow } from '../parts/parts.tsx';
import { Sparkline } from '../parts/sparkline.tsx';
import { AddTaskLink, TaskActions } from '../parts/task-actions.tsx';
import { TaskButtons } from '../parts/task-buttons.tsx';
import { useSession } from '../session/context.ts';

/** A list whose order has changed is reloaded at most this often. */
const REORDER_MS = 5_000;

const BY_NEXT_RUN = { label: 'Next run', orderBy: { field: 'NEXT_RUN_AT', direction: 'ASC' } } as const;
const ORDERS: Record<string, { label: string; orderBy: Wanted['orderBy'] }> = {
  next: BY_NEXT_RUN,
  name: { label: 'Name', orderBy: { field: 'NAME', direction: 'ASC' } },
  last: { label: 'Last success', orderBy: { field: 'LAST_RUN_AT', direction: 'DESC' } },
  newest: { label: 'Newest', orderBy: { field: 'ID', direction: 'DESC' } },
};

const FILTERS: Record<string, { label: string; filter: Wanted['filter'] }> = {
  all: { label: 'All', filter: {} },
  mine: { label: 'Mine', filter: {} },
  active: { label: 'Active', filter: { active: true } },
  paused: { label: 'Paused', filter: { active: false } },
  failed: { label: 'Last run failed', filter: { lastRunState: 'FAILED' } },
  running: { label: 'Running', filter: { lastRunState: 'RUNNING' } },
};

/** The list that the address asks for: filter, order and page. */
function useWanted(): [Wanted, URLSearchParams, (changes: Record<string, string>) => void] {
  const { viewer } = useSession();
  const [address, setAddress] = useSearchParams();
  const text = address.toString();
  const wanted = useMemo(() => {
    const params = new URLSearchParams(text);
    const show = params.get('show') ?? 'all';
    const name = params.get('q') ?? '';
    const className = params.get('class') ?? '';
    return {
      filter: {
        ...FILTERS[show]?.filter,
        ...(show === 'mine' ? { owner: viewer.id } : {}),
        ...(name === '' ? {} : { name }),
        ...(className === '' ? {} : { className }),
      },
      orderBy: (ORDERS[params.get('order') ?? 'next'] ?? BY_NEXT_RUN).orderBy,
      after: params.get('after'),
      before: params.get('before'),
    };
  }, [text, viewer.id]);
  const change = (changes: Record<string, string>) =>
    setAddress(
      (known) => {
        const next = new URLSearchParams(known);
        // A changed list starts at its first page.
        for (const place of ['after', 'before']) next.delete(place);
        for (const [key, value] of Object.entries(changes)) {
          if (value === '') next.delete(key);
          else next.set(key, value);
        }
        return next;
      },
      { replace: !('after' in changes || 'before' in changes) },
    );
  return [wanted, address, change];
}

export function TasksPage() {
  const [wanted, address, change] = useWanted();
  const { page, failure, reload } = useTasks(wanted);
  const [refused, setRefused] = useState<string | null>(null);
  const now = useNow();
  const used = useReordering(page?.tasks, wanted, reload);
  const isFiltered = Object.keys(wanted.filter).length > 0;
  return (
    <>
      <header className="page-head">
        <PageTitle>Tasks</PageTitle>
        <AddTaskLink />
      </header>
      <Filters address={address} change={change} />
      <Failure message={failure ?? refused} />
      {page?.tasks.length ? (
        <>
          <div className="scroll" {...used}>
            <table className="stack">
              <caption className="hidden">Tasks</caption>
              <thead>
                <tr>
                  <th scope="col">Name</th>
                  <th scope="col">Next run</th>
                  <th scope="col">Last run</th>
                  <th scope="col">Last runs</th>
                  <th scope="col">
                    <span className="hidden">Actions</span>
                  </th>
                </tr>
              </thead>
              <tbody>
                {page.tasks.map((task) => (
                  <TaskRow key={task.id} task={task} now={now} onFailure={setRefused} />
                ))}
              </tbody>
            </table>
          </div>
          <nav className="pages" aria-label="Pagination">
            {page.pageInfo.hasPreviousPage && (
              <button type="button" onClick={() => change({ before: page.pageInfo.startCursor ?? '' })}>
                Previous
              </button>
            )}
            {page.pageInfo.hasNextPage && (
              <button type="button" onClick={() => change({ after: page.pageInfo.endCursor ?? '' })}>
                Next
              </button>
            )}
          </nav>
        </>
      ) : (
        <Empty>
          {page === null
            ? 'Loading…'
            : isFiltered
              ? 'No task matches this filter.'
              : ['No tasks yet. ', <AddTaskLink key="add" />]}
        </Empty>
      )}
    </>
  );
}

/**
 * Reloads the list when runs have changed its order, unless the pointer or the focus is in it: a button must not move
 * while the user is about to press it.
 */
function useReordering(tasks: readonly TaskLine[] | undefined, { orderBy }: Wanted, reload: () => void) {
  const isPointed = useRef(false);
  const isFocused = useRef(false);
  const isOrdered = useMemo(() => orderBy.field !== 'NEXT_RUN_AT' || isByNextRun(tasks ?? []), [orderBy, tasks]);
  useEffect(() => {
    if (isOrdered) return;
    const timer = setInterval(() => {
      if (!isPointed.current && !isFocused.current && !document.hidden) reload();
    }, REORDER_MS);
    return () => clearInterval(timer);
  }, [isOrdered, reload]);
  return {
    onPointerEnter: () => {
      isPointed.current = true;
    },
    onPointerLeave: () => {
      isPointed.current = false;
    },
    onFocus: () => {
      isFocused.current = true;
    },
    onBlur: () => {
      isFocused.current = false;
    },
  };
}

function isByNextRun(tasks: readonly TaskLine[]): boolean {
  const instants = tasks.map(({ nextRunAt }) => (nextRunAt ? Date.parse(nextRunAt) : Number.POSITIVE_INFINITY));
  return instants.every((instant, index) => index === 0 || (instants[index - 1] ?? 0) <= instant);
}

interface FiltersProps {
  address: URLSearchParams;
  change: (changes: Record<string, string>) => void;
}

function Filters({ address, change }: FiltersProps) {
  const { client } = useSession();
  const [classes, setClasses] = useState<ClassNamesQuery['taskClasses']>([]);
  useEffect(() => {
    return whileCurrent(async (signal) => {
      const { data } = await client.query(ClassNamesDocument, {}).toPromise();
      if (data !== undefined && !signal.aborted) setClasses(data.taskClasses);
    });
  }, [client]);
  return (
    <form className="filters" onSubmit={(event) => event.preventDefault()}>
      <Search text={address.get('q') ?? ''} onSearch={(q) => change({ q })} />
      <Choice
        label="Show"
        value={address.get('show') ?? 'all'}
        options={Object.entries(FILTERS).map(([value, { label }]) => [value, label])}
        onChoice={(show) => change({ show: show === 'all' ? '' : show })}
      />
      <Choice
        label="Class"
        value={address.get('class') ?? ''}
        options={[['', 'All'], ...classes.map(({ name, title }): [string, string] => [name, title])]}
        onChoice={(className) => change({ class: className })}
      />
      <Choice
        label="Order by"
        value={address.get('order') ?? 'next'}
        options={Object.entries(ORDERS).map(([value, { label }]) => [value, label])}
        onChoice={(order) => change({ order: order === 'next' ? '' : order })}
      />
    </form>
  );
}

/** Searches once the user stops typing. */
function Search({ text: searched, onSearch }: { text: string; onSearch: (text: string) => void }) {
  const [typed, setTyped] = useState(searched);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  const type = (text: string) => {
    setTyped(text);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => onSearch(text), TYPED_MS);
  };
  return (
    <label>
      Search
      <input type="search" value={typed} onChange={(event) => type(event.target.value)} placeholder="Name" />
    </label>
  );
}

interface ChoiceProps {
  label: string;
  value: string;
  options: readonly (readonly [value: string, label: string])[];
  onChoice: (value: string) => void;
}

function Choice({ label, value, options, onChoice }: ChoiceProps) {
  return (
    <label>
      {label}
      <select value={value} onChange={(event) => onChoice(event.target.value)}>
        {options.map(([each, name]) => (
          <option key={each} value={each}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}

interface TaskRowProps {
  task: TaskLine;
  now: number;
  onFailure: (message: string | null) => void;
}

function TaskRow({ task, now, onFailure }: TaskRowProps) {
  const runs = task.runs.edges.map(({ node }) => node);
  const [last] = runs;
  return (
    <tr>
      <th scope="row" className="name">
        <Link href={`/tasks/${encodeURIComponent(task.id)}`}>{task.name}</Link>
        <div className="kind">
          {task.className.split('\\').at(-1)}, {task.owner.name}{' '}
          {!task.hasRunner && <span className="badge failed">No runner</span>}
        </div>
      </th>
      <td className="when">
        <NextRun task={task} now={now} />
      </td>
      <td className="when">
        {last === undefined ? (
          <span className="quiet">never</span>
        ) : (
          <Link href={`/runs/${encodeURIComponent(last.id)}`} className="last">
            <StateBadge state={last.state} /> <Ago at={last.finishedAt ?? last.startedAt ?? last.queuedAt} now={now} />
          </Link>
        )}
      </td>
      <td>
        <Sparkline runs={runs} name={task.name} />
      </td>
      <td className="actions">
        <TaskButtons task={task} onFailure={onFailure} />
        <TaskActions task={task} isRow />
      </td>
    </tr>
  );
}

function NextRun({ task, now }: { task: TaskLine; now: number }) {
  if (task.deletedAt) return <span className="badge failed">Deleted</span>;
  if (!task.active) return <span className="badge">Paused</span>;
  return <Countdown to={task.nextRunAt} now={now} timeZone={task.timeZone} />;
}
