import { OperatorError } from '../lib/operator-error.ts';
import { UsageError } from './failures.ts';

const MAX_BYTES = 4_096;

/**
 * Reads a secret from standard input, since every user of the machine can read a command line. A line end after the
 * secret is dropped.
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
