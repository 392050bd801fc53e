// The schema: every file is imported for what it adds to the builder. Mutations and subscriptions are files of their own.
import { builder } from './builder.ts';
import './api-key.ts';
import './backfill.ts';
import './coverage.ts';
import './event.ts';
import './explain-slot.ts';
import './installation.ts';
import './ip-block.ts';
import './ip-block-mutations.ts';
import './node.ts';
import './preview-schedule.ts';
import './repeat-item.ts';
import './run.ts';
import './run-events.ts';
import './task-feed.ts';
import './run-mutations.ts';
import './scalars.ts';
import './secret.ts';
import './secret-mutations.ts';
import './task.ts';
import './task-class.ts';
import './task-mutations.ts';
import './upcoming.ts';
import './user.ts';

export const schema = builder.toSchema();
