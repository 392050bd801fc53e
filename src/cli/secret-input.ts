import { OperatorError } from '../lib/operator-error.ts';
import { UsageError } from './failures.ts';

const MAX_BYTES = 4_096;

/**
 * The secret that a command gets on its standard input, since a command line can be read by every user of the machine; a
 * line end after it is left out.
 */
export async function readSecretInput(): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of process.stdin) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > MAX_BYTES) throw new OperatorError(`The secret on standard input must have at most ${MAX_BYTES} bytes.`);
  }
  const secret = Buffer.concat(chunks)
    .toString('utf8')
    .replace(/\r?\n$/, '');
  if (secret === '') throw new UsageError('Give the secret on standard input.');
  return secret;
}
