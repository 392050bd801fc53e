// The exports of 'slotkeeper' for task classes of your own.
export { sql } from 'kysely';
export { z } from 'zod';
export { inTransaction } from '../database/transaction.ts';
export { defineTaskClass, PermanentError, type TaskClass, type TaskContext, type TaskDefaults } from './task-class.ts';
