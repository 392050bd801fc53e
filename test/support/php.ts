// Real PHP, where it is installed, as the judge of what our reading and writing should do.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';

const SCRIPT = fileURLToPath(new URL('./php-oracle.php', import.meta.url));
// Our own limits are refusals where PHP drops in silence, and are tested by themselves.
const SETTINGS = [
  '-d',
  'max_input_vars=1000000',
  '-d',
  'max_input_nesting_level=10000',
  '-d',
  'serialize_precision=-1',
];

/** Whether `php` can be run, with the extensions. */
export function hasPhp(...extensions: string[]): boolean {
  const { status, stdout } = spawnSync('php', ['-m'], { encoding: 'utf8' });
  const loaded = status === 0 ? stdout.toLowerCase().split(/\s+/) : [];
  return status === 0 && extensions.every((extension) => loaded.includes(extension));
}

/** Follows the name of a test that needs PHP. */
export const WITHOUT_PHP = hasPhp() ? '' : ' (skipped: there is no php here; Debian has it in php-cli)';

/** What one PHP process makes of each input, in their order. */
async function askPhp(operation: 'query' | 'json', inputs: readonly Buffer[]): Promise<string[]> {
  const child = spawn('php', [...SETTINGS, SCRIPT], { stdio: ['pipe', 'pipe', 'inherit'] });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  const closed = once(child, 'close');
  child.stdin.end(inputs.map((input) => `${operation} ${input.toString('base64')}\n`).join(''));
  await closed;
  const lines = Buffer.concat(chunks).toString().split('\n').slice(0, -1);
  if (lines.length !== inputs.length) throw new Error(`PHP answered ${lines.length} of ${inputs.length} inputs`);
  return lines.map((line) => Buffer.from(line, 'base64').toString());
}

const BATCH = 10_000;

/**
 * Compares what PHP and we make of many inputs; throws with the shortest one on which they differ. `ours` returns null
 * for an input that one of our documented limits refuses.
 */
export async function compareWithPhp(
  operation: 'query' | 'json',
  inputs: readonly Buffer[],
  ours: (input: Buffer) => string | null,
): Promise<void> {
  const differing: { input: Buffer; php: string | undefined; ours: string }[] = [];
  for (let start = 0; start < inputs.length; start += BATCH) {
    const batch = inputs.slice(start, start + BATCH);
    const answers = await askPhp(operation, batch);
    for (const [index, input] of batch.entries()) {
      const own = ours(input);
      if (own !== null && own !== answers[index]) differing.push({ input, php: answers[index], ours: own });
    }
  }
  const [worst] = differing.sort((left, right) => left.input.length - right.input.length);
  if (worst === undefined) return;
  const { input, php, ours: own } = worst;
  throw new Error(
    `${differing.length} of ${inputs.length} differ; the shortest is ${JSON.stringify(input.toString('latin1'))}: PHP ${php}, ours ${own}`,
  );
}

/** Random inputs, others each time; a failure names its input, so that no seed is needed. */
export function sample<Value>(arbitrary: fc.Arbitrary<Value>, count: number): Value[] {
  return fc.sample(arbitrary, { numRuns: count });
}
