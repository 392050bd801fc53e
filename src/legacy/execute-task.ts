// executeTask: a run that may take longer than its caller waits.
import { type LegacyQuery, type PreparedCall, present } from './prepared-call.ts';
import { errorReply, successReply, type TaskName } from './reply.ts';

type RunResult = { id: string; state: string; message: string | null; task: TaskName };
type RunPayload = { run: RunResult | null } | null;

/** Waits for the run as long as the call may; the reply is how it ended, or that it is not finished. */
export async function executeTask(
  { query, input, executeTimeoutSeconds }: PreparedCall,
  document: string,
): Promise<string> {
  const variables = { input: { ...input, waitSeconds: executeTimeoutSeconds } };
  const answered = await query<{ executeTask: RunPayload }>(document, variables);
  const run = present(answered.executeTask?.run);
  return replyOf(run, run.state === 'QUEUED' && !(await hasRunner(query, run.task.legacyId)));
}

const HAS_RUNNER = 'query LegacyHasRunner($task: TaskBy!) { task(by: $task) { hasRunner } }';

async function hasRunner(query: LegacyQuery, legacyId: number): Promise<boolean> {
  const { task } = await query<{ task: { hasRunner: boolean } | null }>(HAS_RUNNER, { task: { legacyId } });
  return task?.hasRunner ?? false;
}

/** A run that takes longer than callers wait continues; the reply says so, and names it. */
function replyOf({ id, state, message, task }: RunResult, isUnserved: boolean): string {
  switch (state) {
    case 'SUCCEEDED':
      return successReply({ message: message ?? '', data: null });
    case 'QUEUED':
    case 'RUNNING': {
      const name = `Run ${id} of task "${task.name}" (${task.legacyId})`;
      const how = isUnserved ? 'waits for a live runner that has its class' : 'is not finished yet and goes on';
      return successReply({ message: `${name} ${how}; getTaskHistory tells how it ends`, data: null });
    }
    default:
      return errorReply(message ?? `The run is ${state}`);
  }
}
