// npm run sign -- 'target=scheduler&action=getTasks': prints the query string with apiKey and hash, to follow `api.php?`.
import { parseArgs } from 'node:util';
import { readSigningKey } from '../env.ts';
import { signedQuery } from '../legacy/signature.ts';

const USAGE = "npm run sign -- [--key KEY --secret SECRET] 'target=scheduler&action=getTasks'";

function main(args: string[]): string {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { key: { type: 'string' }, secret: { type: 'string' } },
  });
  const [query, ...others] = positionals;
  if (query === undefined || others.length > 0) throw new Error(`Give one query string, in quotes: ${USAGE}`);
  if (/(?:^|&)(?:apiKey|hash)=/.test(query)) throw new Error('Leave apiKey and hash out of the query: they are added.');
  const environment = readSigningKey();
  const key = values.key ?? environment.key;
  const secret = values.secret ?? environment.secret;
  if (!key || !secret) {
    throw new Error('Set ADMIN_API_KEY and ADMIN_API_SECRET, or give --key and --secret, to sign a call with.');
  }
  return signedQuery(query.replace(/^(?:.*api\.php)?\?/, ''), key, secret);
}

try {
  process.stdout.write(`${main(process.argv.slice(2))}\n`);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
