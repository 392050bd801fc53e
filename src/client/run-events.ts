// The GraphQL documents of the feed. It imports nothing, so that a server can read them without the client.

/** The fields queried of each event. Add fields here, and to RunEvent. */
export const EVENTS_DOCUMENT = `subscription RunFeed($task: ID, $run: ID, $after: String) {
  runEvents(task: $task, run: $run, after: $after) {
    cursor at type message data state attempt
    task { id name }
    run { id progress }
  }
}`;

/** Where the log ends at this moment. */
export const LOG_END_DOCUMENT = '{ events(last: 1) { pageInfo { endCursor } } }';

/** Every operation of the feed, for a server that accepts listed operations only. */
export const RUN_FEED_DOCUMENTS: readonly string[] = [EVENTS_DOCUMENT, LOG_END_DOCUMENT];

export interface RunEvent {
  /** The position in the log after this event; keep it to resume from here later. */
  cursor: string;
  /** ISO 8601, UTC. */
  at: string;
  type: 'QUEUED' | 'STARTED' | 'LOG' | 'PROGRESS' | 'RETRYING' | 'SUCCEEDED' | 'FAILED' | 'CANCELLED' | 'SKIPPED';
  message: string | null;
  data: unknown;
  state: 'QUEUED' | 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'CANCELLED' | 'SKIPPED' | null;
  attempt: number | null;
  task: { id: string; name: string };
  /** null once retention has removed the run. */
  run: { id: string; progress: number | null } | null;
}
