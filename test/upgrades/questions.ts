// What is asked of an installation when it is dumped, and again once a later version has migrated the dump. Nothing that
// changes by being asked, or with the time.

export interface Question {
  /** A document of GraphQL, or a call of the old API. */
  graphql?: string;
  legacy?: string;
}

const connection = (field: string, node: string) => `{ ${field} { edges { node { ${node} } } } }`;

const TASK = `id legacyId name className active data dataText timeZone createdAt updatedAt deletedAt nextRunAt lastRunAt
  version overlap catchUp catchUpMaxAgeSeconds misfireGraceSeconds queueLimit timeoutSeconds
  retry { attempts delaySeconds backoff } owner { id name }
  repeatItems { id start end intervalDays year month dayOfMonth weekOfMonth dayOfWeek hour minute }`;
const RUN = `id slot trigger state skipReason attempt queuedAt startedAt finishedAt nextAttemptAt message progress data
  retryOf { id } task { id name } actor { name }`;
const EVENT = 'cursor type at message data state attempt taskName task { id } run { id } actor { name }';

/** `tasks` are ids of the old API; the period is one in which tasks were due. */
export function questionsFor(tasks: readonly number[], from: string, to: string): Question[] {
  return [
    { legacy: 'target=scheduler&action=getTasks' },
    ...tasks.map((id) => ({ legacy: `target=scheduler&action=getTaskHistory&taskId=${id}` })),
    { graphql: connection('tasks(first: 100)', TASK) },
    ...tasks.map((id) => ({ graphql: `{ task(by: { legacyId: ${id} }) { ${TASK} } }` })),
    { graphql: connection('runs(first: 500)', RUN) },
    { graphql: connection('events(first: 500)', EVENT) },
    { graphql: connection('users(first: 50)', 'id legacyId name role') },
    { graphql: connection('users(first: 50)', 'name disabledAt') },
    { graphql: connection('apiKeys(first: 50)', 'key createdAt revokedAt user { name }') },
    { graphql: connection('secrets(first: 50)', 'name allowedHosts') },
    { graphql: connection('ipBlocks(first: 50)', 'id cidr pool state assignee heldAt') },
    { graphql: connection('dnsServers(first: 50)', 'id name description enabled') },
    { graphql: connection('dnsZones(first: 20)', 'id name serial faults zoneFile soa { primaryServer contact }') },
    { graphql: connection('auditLog(first: 100)', 'at action target change actor { name }') },
    { graphql: `{ coverage(from: "${from}", to: "${to}") { expected ran skipped pending unaccounted } }` },
  ];
}
