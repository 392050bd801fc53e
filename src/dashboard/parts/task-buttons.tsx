import { useState } from 'react';
import { ExecuteTaskDocument, PauseTaskDocument, ResumeTaskDocument, type TaskLineFragment } from '../operations.ts';
import { mayChange, useSession } from '../session/context.ts';

interface TaskButtonsProps {
  task: Pick<TaskLineFragment, 'id' | 'name' | 'active' | 'deletedAt' | 'owner'>;
  onFailure: (message: string | null) => void;
}

/** Runs, pauses and resumes a task, for users who may. */
export function TaskButtons({ task, onFailure }: TaskButtonsProps) {
  const { client, viewer } = useSession();
  const [isBusy, setBusy] = useState(false);
  if (!mayChange(viewer, task.owner) || task.deletedAt) return null;
  const act = async (action: () => Promise<{ error?: { message: string } | undefined }>) => {
    setBusy(true);
    const { error } = await action();
    onFailure(error?.message ?? null);
    setBusy(false);
  };
  const toggle = () =>
    act(() => client.mutation(task.active ? PauseTaskDocument : ResumeTaskDocument, { id: task.id }).toPromise());
  const run = () =>
    // A request that the network repeats starts one run.
    act(() => client.mutation(ExecuteTaskDocument, { id: task.id, key: crypto.randomUUID() }).toPromise());
  return (
    <>
      <button type="button" disabled={isBusy} onClick={() => void run()}>
        Run now<span className="hidden">: {task.name}</span>
      </button>
      <button type="button" disabled={isBusy} onClick={() => void toggle()}>
        {task.active ? 'Pause' : 'Resume'}
        <span className="hidden">: {task.name}</span>
      </button>
    </>
  );
}
