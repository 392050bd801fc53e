import type { Logger } from 'pino';
import manifest from '../../../package.json' with { type: 'json' };
import { maySendTo, plainOriginOf } from '../../credentials/secret-hosts.ts';
import { type OpenSecret, openSecrets } from '../../credentials/secrets.ts';
import type { Vault } from '../../credentials/vault.ts';
import { detailsOf } from '../../lib/describe-error.ts';
import { hostOf } from '../../lib/host-pattern.ts';
import { defineTaskClass, PermanentError, type TaskContext } from '../task-class.ts';
import { type Answer, call, shownStatus } from './http-request/call.ts';
import { type HttpRequestData, httpRequestData, LIMITS } from './http-request/data.ts';
import { describeExpected, isExpected } from './http-request/expected-status.ts';
import { type Header, type HeaderValue, hasHeader, secretNames } from './http-request/headers.ts';
import { idempotencyKeyOf } from './http-request/idempotency-key.ts';
import type { Outgoing, Reply } from './http-request/message.ts';
import type { PrivateTargets } from './http-request/private-targets.ts';
import { Redactor } from './http-request/redactor.ts';
import { signalWithin } from './http-request/signal.ts';
import { type Lookup, systemLookup } from './http-request/target.ts';
import { readTarget, shownUrl } from './http-request/url.ts';

interface HttpRequestParts {
  /** Opens the secrets. */
  vault: Vault;
  privateTargets: PrivateTargets;
  lookup?: Lookup;
  processLog?: Logger | undefined;
}

/** Client errors that pass: the same request may be answered otherwise later. */
const PASSING = [408, 409, 423, 425, 429];
const USER_AGENT = `Slotkeeper/${manifest.version}`;
const MAX_RETRY_AFTER = 100;

/**
 * Calls a URL. A request may be made more than once for a run, or for a slot: a receiver that must not do its work twice
 * drops what comes again with an `Idempotency-Key` that it has seen.
 *
 * Tried again by the task's policy: no response, a status of 5xx, and a few others that pass. Not tried again: a target that
 * is refused, a secret that may not go there, too many redirects, too large a response, another status of 4xx.
 */
export function httpRequestTask({ vault, privateTargets, lookup = systemLookup, processLog }: HttpRequestParts) {
  return defineTaskClass({
    name: '\\scheduler\\Tasks\\HttpRequestTask',
    title: 'Call a URL',
    description: 'Sends an HTTP request, and succeeds where the status of the response is an expected one.',
    data: httpRequestData,
    async run(context) {
      const { data, em, log } = context;
      const secrets = await openSecrets(em, vault, secretNames(data.headers ?? {}));
      const redactor = new Redactor([...secrets.values()].map(({ value }) => value));
      const request = await requestOf(context, secrets);
      const within = signalWithin(context.signal, data.timeout_seconds ?? LIMITS.timeoutSeconds.default);
      const begun = performance.now();
      try {
        const answer = await call(request, {
          lookupHost: lookup,
          privateTargets,
          maxRedirects: data.max_redirects ?? LIMITS.redirects.default,
          maxResponseBytes: data.max_response_bytes ?? LIMITS.responseBytes.default,
          signal: within.signal,
          onRedirect: (message) => log(redactor.redact(message)),
          onNoResponse: (errors) => processLog?.info({ errors: errors.map(detailsOf) }, 'a call got no whole response'),
        });
        return redactor.redact(outcomeOf(data, answer, Math.round(performance.now() - begun), redactor, log));
      } catch (error) {
        throw withoutSecrets(error, redactor);
      } finally {
        within.dispose();
      }
    },
  });
}

async function requestOf(context: TaskContext<HttpRequestData>, secrets: Map<string, OpenSecret>): Promise<Outgoing> {
  const { data, em, task, run } = context;
  const url = readTarget(data.url);
  if (typeof url === 'string') throw new PermanentError(`The url is not accepted: ${url}.`);
  const headers = Object.entries<HeaderValue>(data.headers ?? {}).map(([name, value]) =>
    headerOf(name, value, url, secrets),
  );
  const add = (name: string, value: string) => headers.push({ name, value, hasSecret: false });
  if (!hasHeader(headers, 'idempotency-key')) add('Idempotency-Key', await idempotencyKeyOf(em, task, run));
  if (!hasHeader(headers, 'user-agent')) add('User-Agent', USER_AGENT);
  if (run.traceparent !== undefined && !hasHeader(headers, 'traceparent')) add('traceparent', run.traceparent);
  const isText = typeof data.body === 'string';
  const hasBody = data.body !== undefined && data.body !== null;
  if (hasBody && !hasHeader(headers, 'content-type')) {
    add('Content-Type', isText ? 'text/plain; charset=utf-8' : 'application/json');
  }
  const body = hasBody ? (isText ? String(data.body) : JSON.stringify(data.body)) : null;
  return { method: data.method ?? 'GET', url, headers, body };
}

/** Throws a PermanentError for a secret that there is not, or that may not go to the URL. */
function headerOf(name: string, value: HeaderValue, url: URL, secrets: Map<string, OpenSecret>): Header {
  if (typeof value !== 'object') return { name, value: String(value), hasSecret: false };
  const secret = secrets.get(value.secret);
  if (secret === undefined)
    throw new PermanentError(`There is no secret ${value.secret}, to which the header ${name} refers.`);
  if (!maySendTo(url, secret.allowedHosts)) throw new PermanentError(refusalOf(name, value.secret, url));
  return { name, value: `${value.prefix ?? ''}${secret.value}`, hasSecret: true };
}

function refusalOf(header: string, secret: string, url: URL): string {
  const refused = `The secret ${secret}, to which the header ${header} refers, may not be sent to`;
  if (url.protocol !== 'http:') return `${refused} ${hostOf(url)}: its allowedHosts do not list it.`;
  const origin = plainOriginOf(url);
  return `${refused} ${origin} by plain http: its allowedHosts list no "${origin}". Accepted are https, to a host that they list, or that entry among them.`;
}

/** The message of a run that succeeded; throws for one that failed. */
function outcomeOf(
  data: HttpRequestData,
  { url, reply }: Answer,
  milliseconds: number,
  redactor: Redactor,
  log: TaskContext['log'],
): string {
  const { status } = reply;
  const expected = isExpected(status, data.expected_status);
  const shown = data.log_response ?? (expected ? 0 : LIMITS.shownCharacters.default);
  if (shown > 0) log(shownResponse(reply, shown, redactor));
  const retryAfter = reply.headers['retry-after'];
  if (!expected && retryAfter !== undefined)
    log(redactor.redact(`Retry-After: ${retryAfter}`).slice(0, MAX_RETRY_AFTER));
  const message = `${shownStatus(status)} from ${shownUrl(url)} in ${milliseconds} ms`;
  if (!expected) {
    const text = `${message}; expected is ${describeExpected(data.expected_status)}.`;
    const isFinal = status >= 400 && status < 500 && !PASSING.includes(status);
    throw isFinal ? new PermanentError(text) : new Error(text);
  }
  if (reply.isTooLarge) {
    throw new PermanentError(
      `${message}, but the response is larger than max_response_bytes; it was not read to its end.`,
    );
  }
  return message;
}

function shownResponse({ headers, beginning, isLonger }: Reply, characters: number, redactor: Redactor): string {
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') return 'The response is compressed and is not shown.';
  if (beginning.length === 0) return 'The response has no body.';
  const text = redactor.redact(beginning.toString('utf8'), !isLonger);
  return `Response: ${text.length > characters ? `${text.slice(0, characters)} [cut]` : text}`;
}

/** Only the message of an error leaves the class, not its stack or other properties. */
function withoutSecrets(error: unknown, redactor: Redactor): Error {
  const message = redactor.redact(error instanceof Error ? error.message : String(error));
  return error instanceof PermanentError ? new PermanentError(message) : new Error(message);
}
