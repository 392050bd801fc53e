// What of a plan cannot be: said before anything is changed, with the place in the file. The mutations would refuse the same.
import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { findNeverDue, type RepeatRule } from '../calendar/schedule.ts';
import type { FileTask } from './file.ts';
import type { FileClasses } from './file-classes.ts';
import { shorten } from './file-schema.ts';
import type { TaskPlan } from './plan.ts';

interface Checked {
  file: FileTask;
  timeZone: string;
  repeatItems: readonly RepeatRule[];
  data: string | null;
  /** What of it the task does not have already. */
  isNew: (field: 'className' | 'data' | 'repeatItems' | 'timeZone') => boolean;
}

/** The ids of the owners whom the file names, by name; `faults` gets what is wrong. */
export async function findPlanFaults(
  em: EntityManager,
  plan: TaskPlan,
  { classes, timeZone }: { classes: FileClasses; timeZone: string },
  faults: string[],
): Promise<ReadonlyMap<string, number>> {
  const checked: Checked[] = [
    ...plan.add.map((file) => ({
      file,
      timeZone: file.timeZone ?? timeZone,
      repeatItems: file.repeatItems ?? [],
      data: file.data ?? null,
      isNew: () => true,
    })),
    ...plan.change.map(({ file, wanted, fields }) => ({
      file,
      ...wanted,
      isNew: (field: Parameters<Checked['isNew']>[0]) => fields.includes(field),
    })),
  ];
  const owners = await findOwners(em, checked);
  for (const each of checked) {
    const { file } = each;
    if (file.owner !== undefined && !owners.has(file.owner)) {
      faults.push(`${file.path}.owner must be the name of an existing user, got ${shorten(file.owner)}`);
    }
    faults.push(...neverDue(each), ...(await faultsOfClass(classes, each)));
  }
  return owners;
}

async function findOwners(em: EntityManager, checked: readonly Checked[]): Promise<Map<string, number>> {
  const names = new Set(checked.flatMap(({ file }) => file.owner ?? []));
  const { rows } = await sql<{ id: number; name: string }>`
    select id, name from app_user where name = any(${[...names]}::text[])
  `.execute(em.getKysely());
  return new Map(rows.map(({ id, name }) => [name, id]));
}

function neverDue({ file, timeZone, repeatItems, isNew }: Checked): string[] {
  if (!isNew('repeatItems') && !isNew('timeZone')) return [];
  return repeatItems.flatMap((rule, index) => {
    const fault = findNeverDue(rule, timeZone);
    return fault === null ? [] : [`${file.path}.repeatItems[${index}].${fault.message}`];
  });
}

async function faultsOfClass(classes: FileClasses, checked: Checked): Promise<string[]> {
  const { file, data, isNew } = checked;
  if (!isNew('className') && !isNew('data')) return [];
  const found = await classes.named(file.className);
  if (found === null) {
    if (!isNew('className')) return [];
    return [`${file.path}.className must be one of ${await classes.names()}, got ${shorten(file.className)}`];
  }
  const fault = found.findFault(JSON.parse(data ?? '{}'));
  return fault === null
    ? []
    : [`${[`${file.path}.data`, ...fault.path].join('.')}: ${fault.message.replaceAll(/\s*\n\s*/g, ' ')}`];
}
