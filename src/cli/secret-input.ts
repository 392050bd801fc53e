import { OperatorError } from '../lib/operator-error.ts';

const MAX_BYTES = 4_096;

/** The secret that a command gets on its standard input, a line end after it left out; `usage` says how to give it. */
export async function readSecretInput(usage: string): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of process.stdin) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > MAX_BYTES) throw new OperatorError('The secret on standard input is too long.');
  }
  const secret = Buffer.concat(chunks)
    .toString('utf8')
    .replace(/\r?\n$/, '');
  if (secret === '') throw new OperatorError(`Give the secret on standard input: ${usage}`);
  return secret;
}
