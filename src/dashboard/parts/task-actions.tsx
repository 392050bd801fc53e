// Add, edit, duplicate and delete tasks, for users who may.
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
  /** In a row of a list, which has no Duplicate button. */
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

/** Names the task in the buttons of a row, for screen readers. */
function Of({ task: { name }, isRow }: Required<Pick<TaskActionsProps, 'isRow'>> & Pick<TaskActionsProps, 'task'>) {
  return isRow && <span className="hidden">: {name}</span>;
}

type DeletedTask = NonNullable<DeletedTaskQuery['task']>;

/** Loads the task and its version, so that only the task as shown can be deleted. */
function DeleteDialog({ id, onClose }: { id: string; onClose: () => void }) {
  const { client } = useSession();
  const [task, setTask] = useState<DeletedTask | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  useEffect(() => {
    return whileCurrent(async (signal) => {
      const { data, error } = await client.query(DeletedTaskDocument, { id }).toPromise();
      if (signal.aborted) return;
      setFailure(error?.message ?? (data?.task ? null : 'This task does not exist.'));
      setTask(data?.task ?? null);
    });
  }, [client, id]);
  return (
    <Dialog title="Delete task" onClose={onClose}>
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
    if (!isName(typed, task.name)) return setFault('The name does not match.');
    setFault(undefined);
    const { id, version } = task;
    const input = { task: { id }, expectedVersion: version, idempotencyKey: key };
    const { error } = await client.mutation(DeleteTaskDocument, { input }).toPromise();
    if (error === undefined) return navigate('/tasks');
    const isChanged = error.graphQLErrors.some(({ extensions: { code } }) => code === 'CONFLICT');
    const { byField, other } = faultsOf(error);
    setFailure(
      isChanged
        ? 'The task was changed meanwhile. Close this dialog and check it again.'
        : (other ?? [...byField.values()].join(' ')),
    );
  };
  return (
    <form aria-describedby={described} onSubmit={(event) => void submit(event)}>
      <div id={described}>
        <p>
          <strong>{task.name}</strong> will have no more slots. Its history, runs and ids are kept, and it can be copied
          to a new task. This cannot be undone.
        </p>
        {task.running.edges.length > 0 && <p>The current run finishes normally.</p>}
        {task.queued.edges.length > 0 && <p>Waiting runs are cancelled.</p>}
      </div>
      <Field label="Type the task name to confirm" fault={fault}>
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
          Cancel
        </button>
        <button type="submit" className="danger">
          Delete
        </button>
      </div>
    </form>
  );
}

/** Ignores differences in white space: a name may contain newlines, which cannot be typed. */
function isName(typed: string, name: string): boolean {
  const plain = (text: string) => text.replaceAll(/\s+/g, ' ').trim();
  return plain(typed) === plain(name);
}
