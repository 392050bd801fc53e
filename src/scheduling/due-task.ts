import type { CatchUpPolicy, OverlapPolicy } from '../entities/task.ts';

/** A due task as the planner reads it; times in milliseconds since 1970. */
export interface DueTask {
  id: number;
  name: string;
  class_name: string;
  owner_id: number;
  time_zone: string;
  overlap: OverlapPolicy;
  queue_limit: number;
  catch_up: CatchUpPolicy;
  misfire_grace_seconds: number;
  catch_up_max_age_seconds: number | null;
  timeout_seconds: number;
  /** Whether a live runner has its class. */
  has_runner: boolean;
  next_run_at: number;
  following_run_at: number | null;
  following_of: number | null;
  now: number;
}
