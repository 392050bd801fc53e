import { type Kysely, sql } from 'kysely';
import type { RepeatRule } from '../calendar/schedule.ts';
import type { ReadTables } from '../database/rows.ts';
import { policyOfColumns, type TaskPolicy } from '../tasks/policy.ts';
import type { StoredTask } from './definition.ts';

/** Few enough that a page of large data does not fill the memory. */
const PAGE = 250;

interface TaskRow {
  id: number;
  version: number;
  name: string;
  class_name: string;
  active: boolean;
  owner: string;
  time_zone: string;
  rules: RepeatRule[];
  data: string | null;
  overlap: TaskPolicy['overlap'];
  queue_limit: number;
  catch_up: TaskPolicy['catchUp'];
  misfire_grace_seconds: number;
  catch_up_max_age_seconds: number | null;
  retry_attempts: number;
  retry_delay_seconds: number;
  retry_backoff: number;
  retry_jitter: number;
  timeout_seconds: number;
}

/** All tasks that are not deleted, by id, page by page. */
export async function* readStoredTasks(database: Kysely<ReadTables>): AsyncGenerator<StoredTask, void, undefined> {
  for (let last = 0; ; ) {
    const { rows } = await sql<TaskRow>`
      select task.id, version, task.name, class_name, task.active, app_user.name as owner, task.time_zone, current.rules,
        data, overlap, queue_limit, catch_up, misfire_grace_seconds, catch_up_max_age_seconds, retry_attempts,
        retry_delay_seconds, retry_backoff, retry_jitter, timeout_seconds
      from task join app_user on app_user.id = owner_id
        -- One by one; otherwise the query planner may read all versions.
        cross join lateral (
          select rules from schedule_version where task_id = task.id and valid_to is null limit 1) as current
      where task.id > ${last} and deleted_at is null order by task.id limit ${PAGE}
    `.execute(database);
    for (const row of rows) yield toStored(row);
    if (rows.length < PAGE) return;
    last = rows.at(-1)?.id ?? last;
  }
}

function toStored(row: TaskRow): StoredTask {
  const { id, version, name, active, owner, data } = row;
  return {
    id,
    version,
    definition: {
      name,
      className: row.class_name,
      active,
      owner,
      timeZone: row.time_zone,
      repeatItems: row.rules,
      policy: policyOfColumns({
        overlap: row.overlap,
        queueLimit: row.queue_limit,
        catchUp: row.catch_up,
        misfireGraceSeconds: row.misfire_grace_seconds,
        catchUpMaxAgeSeconds: row.catch_up_max_age_seconds,
        retryAttempts: row.retry_attempts,
        retryDelaySeconds: row.retry_delay_seconds,
        retryBackoff: row.retry_backoff,
        retryJitter: row.retry_jitter,
        timeoutSeconds: row.timeout_seconds,
      }),
      data,
    },
  };
}
