import { defineEntity, p } from '@mikro-orm/core';

const EventLogSchema = defineEntity({
  name: 'EventLog',
  tableName: 'event_log',
  properties: {
    /** Always 1: there is one log, and its row is the lock under which events are sequenced. */
    id: p.integer().primary().autoincrement(false),
    /** Part of every cursor; renewed when the cluster is not the one last seen (a restore, another timeline). */
    logId: p.uuid(),
    /** The seq of the newest sequenced event. */
    head: p.bigint('number').default(0),
    /** Up to here retention has removed all events except those that it spares (see `HISTORY_EVENT_TYPES`). */
    floor: p.bigint('number').default(0),
    /** Up to here retention has removed every event. */
    historyFloor: p.bigint('number').default(0),
    systemIdentifier: p.text(),
    timeline: p.integer(),
    /** PostgreSQL's oid of this database; null in a log that is older than this column. */
    databaseOid: p.bigint('number').nullable(),
  },
  checks: [
    { name: 'event_log_single', expression: 'id = 1' },
    { name: 'event_log_order', expression: 'history_floor >= 0 and floor >= history_floor and head >= floor' },
  ],
});

/** The single row with the end of the log. */
export class EventLog extends EventLogSchema.class {}
EventLogSchema.setClass(EventLog);

export { EventLogSchema };
