// Tasks that somebody changed since the export: who, so that they can be asked.
import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { TASK_EVENT_TYPES } from '../entities/event.ts';
import { sequenceEvents } from '../events/log.ts';
import { OperatorError } from '../lib/operator-error.ts';
import type { Conflict, TaskPlan } from './plan.ts';

/** Of so many it is told who changed them: finding that in the log takes a moment each. */
const TOLD = 20;

/** An OperatorError that names them all, where there are any. */
export async function refuseConflicts(em: EntityManager, plan: TaskPlan): Promise<void> {
  if (plan.conflicts.length === 0) return;
  const told = plan.conflicts.slice(0, TOLD).map(({ file }) => file.id ?? 0);
  await sequenceEvents(em);
  const editors = await readLastEditors(em.fork(), told);
  const lines = plan.conflicts.map((conflict) => `  ${inWords(plan, conflict, editors.get(conflict.file.id ?? 0))}`);
  const way = plan.conflicts.some(({ here }) => here !== null) ? `\n${plan.isForeign ? FOREIGN_WAY : WAY}` : '';
  throw new OperatorError(`The file does not follow what is here, and nothing was changed:\n${lines.join('\n')}${way}`);
}

const WAY = 'Export again and merge, or overwrite what they did with --force.';
const FOREIGN_WAY =
  'Another installation exported the file. What has neither id nor version in it comes as a new task; --force overwrites those that are here.';

interface Editor {
  name: string;
  at: string;
}

function inWords({ isForeign }: TaskPlan, { file, here }: Conflict, editor: Editor | undefined): string {
  const by = editor === undefined ? '' : ` by ${JSON.stringify(editor.name)} at ${editor.at} UTC`;
  if (here === null) {
    return `! task ${file.id} ${JSON.stringify(file.name)} was deleted here${by}; without id and version it comes as a new one`;
  }
  if (isForeign) {
    return `! task ${here.id} is ${JSON.stringify(here.definition.name)} here and differs from ${JSON.stringify(file.name)} in the file`;
  }
  const head = `! task ${here.id} ${JSON.stringify(here.definition.name)} has version ${here.version} here`;
  const was = here.version > (file.version ?? 0) ? `changed${by} since the export` : 'the file is from elsewhere';
  return `${head} and ${file.version} in the file: ${was}`;
}

/** Who did something to each task last, as far as the log goes back. */
async function readLastEditors(em: EntityManager, taskIds: readonly number[]): Promise<Map<number, Editor>> {
  const { rows } = await sql<Editor & { id: number }>`
    select wanted.id, app_user.name, to_char(last.at at time zone 'UTC', 'YYYY-MM-DD HH24:MI') as at
    from unnest(${taskIds}::int[]) as wanted (id)
      cross join lateral (
        select at, actor_id from event
        where task_id = wanted.id and seq is not null and type = any(${[...TASK_EVENT_TYPES]}::text[])
        order by seq desc limit 1) as last
      join app_user on app_user.id = last.actor_id
  `.execute(em.getKysely());
  return new Map(rows.map(({ id, ...editor }) => [id, editor]));
}
