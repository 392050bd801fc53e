// A request with its redirects, each of which is judged like the first.

import { STATUS_CODES } from 'node:http';
import { publicMessage } from '../../../lib/describe-error.ts';
import { PermanentError } from '../../task-class.ts';
import { exchange } from './exchange.ts';
import type { Outgoing, Reply } from './message.ts';
import type { PrivateTargets } from './private-targets.ts';
import { nextRequest } from './redirect.ts';
import { type Lookup, resolveTarget } from './target.ts';
import { shownUrl } from './url.ts';

interface CallOptions {
  lookupHost: Lookup;
  privateTargets: PrivateTargets;
  maxRedirects: number;
  maxResponseBytes: number;
  signal: AbortSignal;
  /** Called for each redirect that is followed. */
  onRedirect(message: string): void;
  /** Called with the error that prevented a complete response. It names the address; users see only its description. */
  onNoResponse(errors: readonly unknown[]): void;
}

export interface Answer {
  /** The URL that answered in the end. */
  url: URL;
  reply: Reply;
}

/** Throws a PermanentError for a target that is refused and for too many redirects. */
export async function call(first: Outgoing, options: CallOptions): Promise<Answer> {
  let request = first;
  for (let redirects = 0; ; redirects += 1) {
    const reply = await send(request, options);
    const next = options.maxRedirects === 0 ? null : nextRequest(request, reply);
    if (next === null) return { url: request.url, reply };
    if (redirects === options.maxRedirects) {
      throw new PermanentError(
        `${shownUrl(request.url)} redirects again, after ${redirects} redirects, the most that are followed.`,
      );
    }
    options.onRedirect(
      `${shownStatus(reply.status)} from ${shownUrl(request.url)}: redirected to ${shownUrl(next.url)}`,
    );
    request = next;
  }
}

async function send(request: Outgoing, options: CallOptions): Promise<Reply> {
  const { lookupHost, privateTargets, maxResponseBytes, signal, onNoResponse } = options;
  try {
    const target = await resolveTarget(request.url, lookupHost, privateTargets, signal);
    return await exchange(request, { target, privateTargets, maxResponseBytes, signal });
  } catch (error) {
    if (error instanceof PermanentError || signal.aborted) throw error;
    // Several addresses that failed are one error.
    const errors = error instanceof AggregateError ? (error.errors as unknown[]) : [error];
    onNoResponse(errors);
    const words = new Set(errors.map((each) => publicMessage(each).replace(/\.$/, '')));
    throw new Error(`No whole response from ${shownUrl(request.url)}: ${[...words].join('; ')}.`);
  }
}

/** `404 Not Found`. The words are ours, not the receiver's. */
export function shownStatus(status: number): string {
  const words = STATUS_CODES[status];
  return words === undefined ? String(status) : `${status} ${words}`;
}
