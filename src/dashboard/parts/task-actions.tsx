// What may be done to the list of tasks and to a task, for who may do it.
import './task-actions.css';
import { type FormEvent, useEffect, useId, useState } from 'react';
import { Link, useLocation } from 'wouter';
import { Dialog, Field, faultsOf } from '../editor/form-parts.tsx';
import { whileCurrent } from '../live/while-current.ts';
import { DeletedTaskDocument, type DeletedTaskQuery, DeleteTaskDocument } from '../operations.ts';
import { mayChange, useSession } from '../session/context.ts';
import { Empty, Failure } from './parts.tsx';

export function AddTaskLink() {
  const { viewer } = useSession();
  return viewer.role === 'VIEWER' ? null : (
    <Link className="button primary" href="/tasks/new">
      Add task
    </Link>
  );
}

interface TaskActionsProps {
  task: { id: string; name: string; owner: { id: string }; deletedAt: string | null };
  /** In a row of a list: without what is for one task alone. */
  isRow?: boolean;
}

/** Edit, duplicate and delete. */
export function TaskActions({ task, isRow = false }: TaskActionsProps) {
  const { viewer } = useSession();
  const [isDeleting, setIsDeleting] = useState(false);
  if (!mayChange(viewer, task.owner)) return null;
  const id = encodeURIComponent(task.id);
  return (
    <>
      {!task.deletedAt && (
        <Link className="button" href={`/tasks/${id}/edit`}>
          Edit
          <Of task={task} isRow={isRow} />
        </Link>
      )}
      {!isRow && (
        <Link className="button" href={`/tasks/new?from=${id}`}>
          Duplicate
        </Link>
      )}
      {!task.deletedAt && (
        <button type="button" className="danger" onClick={() => setIsDeleting(true)}>
          Delete
          <Of task={task} isRow={isRow} />
        </button>
      )}
      {isDeleting && <DeleteDialog id={task.id} onClose={() => setIsDeleting(false)} />}
    </>
  );
}

/** Tells the rows' buttons apart for those who hear them. */
function Of({ task: { name }, isRow }: Required<Pick<TaskActionsProps, 'isRow'>> & Pick<TaskActionsProps, 'task'>) {
  return isRow && <span className="hidden">: {name}</span>;
}

type DeletedTask = NonNullable<DeletedTaskQuery['task']>;

/** Loads the task, so that what is deleted is what is shown. */
function DeleteDialog({ id, onClose }: { id: string; onClose: () => void }) {
  const { client } = useSession();
  const [task, setTask] = useState<DeletedTask | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  useEffect(() => {
    return whileCurrent(async (signal) => {
      const { data, error } = await client.query(DeletedTaskDocument, { id }).toPromise();
      if (signal.aborted) return;
      setFailure(error?.message ?? (data?.task ? null : 'There is no such task.'));
      setTask(data?.task ?? null);
    });
  }, [client, id]);
  return (
    <Dialog title="Delete the task" onClose={onClose}>
      <Failure message={failure} />
      {task === null && failure === null && <Empty>Loading…</Empty>}
      {task && <DeleteForm task={task} onClose={onClose} />}
    </Dialog>
  );
}

function DeleteForm({ task, onClose }: { task: DeletedTask; onClose: () => void }) {
  const { client } = useSession();
  const [, navigate] = useLocation();
  const [typed, setTyped] = useState('');
  const [fault, setFault] = useState<string>();
  const [failure, setFailure] = useState<string | null>(null);
  const [key] = useState(() => crypto.randomUUID());
  const described = useId();
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (!isName(typed, task.name)) return setFault('It is not the name of the task.');
    setFault(undefined);
    const { id, version } = task;
    const input = { task: { id }, expectedVersion: version, idempotencyKey: key };
    const { error } = await client.mutation(DeleteTaskDocument, { input }).toPromise();
    if (error === undefined) return navigate('/tasks');
    const isChanged = error.graphQLErrors.some(({ extensions: { code } }) => code === 'CONFLICT');
    const { byField, other } = faultsOf(error);
    setFailure(
      isChanged
        ? 'Somebody has changed the task meanwhile: close this and look at it again.'
        : (other ?? [...byField.values()].join(' ')),
    );
  };
  return (
    <form aria-describedby={described} onSubmit={(event) => void submit(event)}>
      <div id={described}>
        <p>
          <strong>{task.name}</strong> will expect no slot any more. Its history, its runs and their ids stay, and it
          can be copied into a new task; it cannot be brought back.
        </p>
        {task.running.edges.length > 0 && <p>The run that is under way ends as it would.</p>}
        {task.queued.edges.length > 0 && <p>The runs that wait are cancelled.</p>}
      </div>
      <Field label="Type the name of the task" fault={fault}>
        {(ties) => (
          <input
            {...ties}
            autoComplete="off"
            spellCheck={false}
            value={typed}
            onChange={(event) => setTyped(event.target.value)}
          />
        )}
      </Field>
      <Failure message={failure} />
      <div className="buttons">
        <button type="button" onClick={onClose}>
          Keep it
        </button>
        <button type="submit" className="danger">
          Delete
        </button>
      </div>
    </form>
  );
}

/** A name may hold blanks and newlines that no one can see or type. */
function isName(typed: string, name: string): boolean {
  const plain = (text: string) => text.replaceAll(/\s+/g, ' ').trim();
  return plain(typed) === plain(name);
}
