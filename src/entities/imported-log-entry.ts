import { defineEntity, p } from '@mikro-orm/core';

const ImportedLogEntrySchema = defineEntity({
  name: 'ImportedLogEntry',
  tableName: 'imported_log',
  properties: {
    /** The id of the task, here and on the old server. No foreign key: the history is imported before its task. */
    taskId: p.integer().primary(),
    /** The old `log_id`. */
    id: p.bigint('number').primary().autoincrement(false),
    at: p.datetime(),
    /** Syslog's number, and the rest as the old server returned it. */
    level: p.text().nullable(),
    category: p.text().nullable(),
    message: p.text(),
    userId: p.integer().nullable(),
    username: p.text().nullable(),
    ip: p.text().nullable(),
  },
  // Read by retention.
  indexes: [{ name: 'imported_log_by_time', properties: ['at'] }],
});

/**
 * A row of the history of a task on the installation that it was imported from. It is not an event: it is not news for
 * followers of the log, and it has no run.
 */
export class ImportedLogEntry extends ImportedLogEntrySchema.class {}
ImportedLogEntrySchema.setClass(ImportedLogEntry);

export { ImportedLogEntrySchema };
