import { signedQuery } from '../legacy/signature.ts';
import { OperatorError } from '../lib/operator-error.ts';
import { readSigningKey } from '../settings.ts';
import type { CommandContext } from './run-command.ts';

interface SignOptions {
  query: string;
  key?: string;
  secret?: string;
}

/** Prints the query string with apiKey and hash, to follow `api.php?`. */
export async function sign(options: SignOptions, { output }: CommandContext): Promise<void> {
  const environment = readSigningKey();
  const key = options.key ?? environment.key;
  const secret = options.secret ?? environment.secret;
  if (!key || !secret) {
    throw new OperatorError('To sign a call, set ADMIN_API_KEY and ADMIN_API_SECRET, or give --key and --secret.');
  }
  output.say(signedQuery(options.query.replace(/^(?:.*api\.php)?\?/, ''), key, secret));
}
