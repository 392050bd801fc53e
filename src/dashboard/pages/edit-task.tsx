import './edit-task.css';
import { useEffect, useState } from 'react';
import { Link, useSearchParams } from 'wouter';
import { EditableClasses } from '../editor/editable-classes.ts';
import { TaskEditor } from '../editor/task-editor.tsx';
import type { EditedTask } from '../editor/task-policy.ts';
import { valuesOfNew, valuesOfTask } from '../editor/task-values.ts';
import { whileCurrent } from '../live/while-current.ts';
import { EditedTaskDocument, TaskClassesDocument } from '../operations.ts';
import { Empty, Failure, PageTitle } from '../parts/parts.tsx';
import { mayChange, useSession } from '../session/context.ts';

/**
 * The classes, and the task to edit or copy. `loaded` is null until both are loaded; its `task` is null for a new task
 * or an unknown id.
 */
function useEditable(id: string | null) {
  const { client } = useSession();
  const [loaded, setLoaded] = useState<{ classes: EditableClasses; task: EditedTask | null } | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  useEffect(() => {
    return whileCurrent(async (signal) => {
      const [classes, task] = await Promise.all([
        client.query(TaskClassesDocument, {}).toPromise(),
        id === null ? null : client.query(EditedTaskDocument, { id }).toPromise(),
      ]);
      if (signal.aborted) return;
      const error = classes.error ?? task?.error;
      setFailure(error?.message ?? null);
      if (error === undefined && classes.data !== undefined) {
        setLoaded({ classes: new EditableClasses(classes.data.taskClasses), task: task?.data?.task ?? null });
      }
    });
  }, [client, id]);
  return { loaded, failure };
}

/** A new task, or a copy of the task that `from` in the address names. */
export function NewTaskPage() {
  const { viewer } = useSession();
  const [search] = useSearchParams();
  const from = search.get('from');
  const { loaded, failure } = useEditable(from);
  if (viewer.role === 'VIEWER') return <Empty>Only operators and admins can add tasks.</Empty>;
  return (
    <>
      <header className="page-head">
        <PageTitle>Add task</PageTitle>
      </header>
      <Failure message={failure} />
      {loaded === null && failure === null && <Empty>Loading…</Empty>}
      {loaded && (
        <>
          {from !== null && loaded.task === null && (
            <Empty>The task to copy does not exist. The form starts empty.</Empty>
          )}
          <TaskEditor
            key={from}
            classes={loaded.classes}
            task={null}
            initial={loaded.task === null ? valuesOfNew(loaded.classes) : copyOf(loaded.task, viewer.role === 'ADMIN')}
          />
        </>
      )}
    </>
  );
}

/** An operator owns their copies; an admin's copy keeps its owner. */
function copyOf(task: EditedTask, isAdmin: boolean) {
  const values = valuesOfTask(task);
  return { ...values, name: `${task.name} (copy)`, ownerLegacyId: isAdmin ? values.ownerLegacyId : null };
}

export function EditTaskPage({ id }: { id: string }) {
  const { viewer } = useSession();
  const { loaded, failure } = useEditable(id);
  if (failure !== null) return <Failure message={failure} />;
  if (loaded === null) return <Empty>Loading…</Empty>;
  const { classes, task } = loaded;
  if (task === null) return <Empty>This task does not exist.</Empty>;
  const copy = `/tasks/new?from=${encodeURIComponent(id)}`;
  return (
    <>
      <header className="page-head">
        <PageTitle>{`Edit ${task.name}`}</PageTitle>
      </header>
      {task.deletedAt ? (
        <Empty>
          This task was deleted. <Link href={copy}>Add it as a new task</Link>
        </Empty>
      ) : mayChange(viewer, task.owner) ? (
        <TaskEditor classes={classes} task={task} initial={valuesOfTask(task)} />
      ) : (
        <Empty>Only {task.owner.name}, who owns this task, and admins can change it.</Empty>
      )}
    </>
  );
}
