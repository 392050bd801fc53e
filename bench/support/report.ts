// What a subject found out, on the screen, as JSON and as Markdown.
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';

const RESULTS = fileURLToPath(new URL('../results/', import.meta.url));

/** Whether this is a trial of the programs, whose figures say nothing: `--smoke`. */
export const SMOKE = process.argv.includes('--smoke');

/** The word after `--name`. */
export function argument(name: string, otherwise: string): string {
  const at = process.argv.indexOf(`--${name}`);
  return at === -1 ? otherwise : (process.argv[at + 1] ?? otherwise);
}

/** How often each side is measured: `--rounds N`. */
export const ROUNDS = Number(argument('rounds', SMOKE ? '1' : '3'));

/** For how long each measurement of a load lasts: `--seconds N`. */
export const SECONDS = Number(argument('seconds', SMOKE ? '1' : '5'));

export interface Table {
  title: string;
  columns: readonly string[];
  rows: readonly (readonly (string | number)[])[];
}

/** What is promised, as a ratio of two medians of the same run. */
export interface Target {
  what: string;
  ratio: number;
  /** The ratio that is promised. */
  atLeast?: number;
  atMost?: number;
}

export interface Report {
  /** The name of its files. */
  subject: string;
  title: string;
  tables: readonly Table[];
  targets: readonly Target[];
  /** Each single measurement, in the order in which they were taken. */
  measurements: readonly unknown[];
}

/** The middle of the values; of an even number, the lower of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN;
}

/** The value that this share of the values does not exceed; `sorted` is in ascending order. */
export function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/**
 * Measures the sides in turn, so that what the machine does beside hits them alike: A B A B. One round that is not counted
 * comes first.
 */
export async function inTurn<Side extends { name: string }, Measured>(
  sides: readonly Side[],
  rounds: number,
  measure: (side: Side) => Promise<Measured>,
): Promise<Map<string, Measured[]>> {
  const all = new Map<string, Measured[]>(sides.map(({ name }) => [name, []]));
  // A trial counts nothing.
  for (let round = SMOKE ? 1 : 0; round <= rounds; round += 1) {
    for (const side of sides) {
      const measured = await measure(side);
      if (round > 0) all.get(side.name)?.push(measured);
    }
  }
  return all;
}

export function markdownOf({ title, columns, rows }: Table): string {
  const line = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`;
  return [`### ${title}`, '', line(columns), line(columns.map(() => '---')), ...rows.map(line), ''].join('\n');
}

function holds({ ratio, atLeast = Number.NEGATIVE_INFINITY, atMost = Number.POSITIVE_INFINITY }: Target): boolean {
  return ratio >= atLeast && ratio <= atMost;
}

function targetTable(targets: readonly Target[]): Table {
  return {
    title: 'Promised',
    columns: ['what', 'promised', 'measured', ''],
    rows: targets.map((target) => [
      target.what,
      target.atLeast === undefined ? `at most ${target.atMost}` : `at least ${target.atLeast}`,
      target.ratio.toFixed(2),
      holds(target) ? 'holds' : 'MISSED',
    ]),
  };
}

/** Prints the report; a run that is no trial is kept in `results/`. */
export async function publish(report: Report): Promise<void> {
  const tables = report.targets.length > 0 ? [...report.tables, targetTable(report.targets)] : report.tables;
  const markdown = [`## ${report.title}`, '', ...tables.map(markdownOf)].join('\n');
  process.stdout.write(`${markdown}\n`);
  if (SMOKE) return;
  const machine = {
    processors: cpus().length,
    model: cpus()[0]?.model,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    platform: `${process.platform} ${process.arch}`,
    node: process.version,
  };
  await mkdir(RESULTS, { recursive: true });
  const { tables: _, ...kept } = report;
  await writeFile(
    `${RESULTS}${report.subject}.json`,
    `${JSON.stringify({ at: new Date().toISOString(), machine, ...kept }, null, 1)}\n`,
  );
  await writeFile(`${RESULTS}${report.subject}.md`, markdown);
}
