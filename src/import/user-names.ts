// The names of the users of the old installation, which only its histories contain.
import { OperatorError } from '../lib/operator-error.ts';
import { type OldHistoryRow, readUserOf } from './old-history.ts';
import type { OldServer } from './old-server.ts';
import type { OldTask } from './old-task.ts';

/** Users may have been renamed: of each, the name in the newest row of all that are noted. */
export class NewestNames {
  readonly #rows = new Map<number, { logId: number; name: string }>();

  note(rows: readonly OldHistoryRow[]): void {
    for (const { id: logId, userId, username } of rows) {
      if (userId === null || username === null || username === '') continue;
      const known = this.#rows.get(userId);
      if (known === undefined || known.logId < logId) this.#rows.set(userId, { logId, name: username });
    }
  }

  /** By the ids of the users there. */
  all(): Map<number, string> {
    return new Map([...this.#rows].map(([userId, { name }]) => [userId, name]));
  }
}

interface OwnerNames {
  /** By the ids of the users there. */
  names: Map<number, string>;
  /** Why others are not known. */
  faults: string[];
}

/**
 * The names of those who own the tasks, for whoever wants no more of the histories: of each the first that any row has. Of
 * an owner for whom the old server has no answer none is known, and no further task is asked about.
 */
export async function readOwnerNames(
  server: OldServer,
  tasks: readonly OldTask[],
  onTask: (done: number, found: number) => void,
): Promise<OwnerNames> {
  const names = new Map<number, string>();
  const faults = new Map<number, string>();
  let done = 0;
  for (const { id, ownerId } of tasks) {
    if (!names.has(ownerId) && !faults.has(ownerId)) {
      try {
        for (const row of await server.getTaskHistory(id)) {
          const user = readUserOf(row);
          if (user !== null && !names.has(user.id)) names.set(user.id, user.name);
        }
      } catch (error) {
        if (!(error instanceof OperatorError)) throw error;
        faults.set(ownerId, `? the name of user ${ownerId} is not known: ${error.message}`);
      }
    }
    done += 1;
    onTask(done, names.size);
  }
  return { names, faults: [...faults].flatMap(([userId, fault]) => (names.has(userId) ? [] : [fault])) };
}
