import type { Role } from '../entities/user.ts';
import type { Jobs } from '../scheduling/jobs.ts';
import type { KnownClasses } from '../task-classes/known-classes.ts';

/** The acting user, with the services that changes of tasks need. */
export interface Actor {
  /** The user who acts, and is named in the log. */
  viewer: { id: number; role: Role };
  jobs: Jobs;
  taskClasses: KnownClasses;
  /** The zone of a task that names none. */
  timeZone: string;
}
