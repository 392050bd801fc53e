// How PostgreSQL answered each statement that a process sent: its own auto_explain tells the connection that asked.
import pg from 'pg';
import { vi } from 'vitest';
import type { TestDatabase } from './database.ts';
import { rows } from './races.ts';

export interface PlanNode {
  'Node Type': string;
  'Relation Name'?: string;
  'Index Name'?: string;
  'Index Cond'?: string;
  Plans?: PlanNode[];
}

export interface Plan {
  'Query Text': string;
  Plan: PlanNode;
}

const SETTINGS = {
  session_preload_libraries: 'auto_explain',
  'auto_explain.log_min_duration': '0',
  'auto_explain.log_format': 'json',
  'auto_explain.log_level': 'notice',
  'auto_explain.log_nested_statements': 'on',
};

/** The plans of what this process sends on connections that it opens from now on. */
export async function watchPlans({ orm: { em } }: TestDatabase): Promise<{ plans: Plan[]; stop: () => void }> {
  const [{ name } = { name: '' }] = await rows<{ name: string }>(em, 'select current_database() as name');
  for (const [setting, value] of Object.entries(SETTINGS)) {
    await rows(em, `alter database ${name} set ${setting} = '${value}'`);
  }
  const plans: Plan[] = [];
  const spy = vi.spyOn(pg.Client.prototype, 'emit').mockImplementation(function (this: pg.Client, event, ...values) {
    const [notice] = values as { message?: string }[];
    const plan = event === 'notice' ? /^duration: .* plan:\n(.*)$/s.exec(notice?.message ?? '')?.[1] : undefined;
    if (plan !== undefined) plans.push(JSON.parse(plan) as Plan);
    return emit.call(this, event, ...values);
  });
  return { plans, stop: () => spy.mockRestore() };
}

const { emit } = pg.Client.prototype;

/** Partial indexes of what is under way alone, whatever the table has grown to. */
const SMALL_INDEXES: ReadonlySet<string> = new Set([
  'event_unsequenced',
  'run_delayed',
  'run_exclusive',
  'run_job_id',
  'run_open',
  'task_following',
]);

/** The tables, of those given, that a plan reads from end to end, and how. An index read under a limit is read in part. */
export function wholeReads(plan: PlanNode, tables: ReadonlySet<string>): string[] {
  const found: string[] = [];
  const visit = (node: PlanNode, isLimited: boolean) => {
    const table = node['Relation Name'] ?? '';
    const type = node['Node Type'];
    if (tables.has(table) && type === 'Seq Scan') found.push(`${type} on ${table}`);
    const index = node['Index Name'] ?? '';
    const isWhole = /^Index/.test(type) && node['Index Cond'] === undefined && !SMALL_INDEXES.has(index);
    if (tables.has(table) && isWhole && !isLimited) {
      found.push(`${type} of all ${index}`);
    }
    // What must be sorted or hashed is read whole, whatever the limit above it.
    const readsAll = ['Sort', 'Hash', 'Aggregate'].includes(type);
    for (const child of node.Plans ?? []) visit(child, (isLimited || type === 'Limit') && !readsAll);
  };
  visit(plan, false);
  return found;
}
