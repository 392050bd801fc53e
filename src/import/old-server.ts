import { Agent, request } from 'undici';
import type { KeyAndSecret } from '../credentials/credentials.ts';
import { parseJsonForPhp } from '../legacy/php/json-decode.ts';
import { PhpArray, type PhpValue } from '../legacy/php/value.ts';
import { signedQuery } from '../legacy/signature.ts';
import { codeOf, reasonOf } from '../lib/describe-error.ts';
import { OperatorError } from '../lib/operator-error.ts';
import { printable, quoted } from './printable.ts';

const CONNECT_TIMEOUT_MS = 10_000;
/** PHP may think about a long list. */
const ANSWER_TIMEOUT_MS = 120_000;
const MAX_REPLY_MIB = 256;
/** Of a reply that is none, and of why it refuses, in a message. */
const SHOWN_LENGTH = 200;

/** The code of undici's error. */
const TOO_LONG = 'UND_ERR_RES_EXCEEDED_MAX_SIZE';

interface Question {
  /** In a message. */
  what: string;
  parameters: string;
}

/** An old installation, asked by its own API. It is only read. */
export class OldServer {
  readonly #url: URL;
  readonly #credentials: KeyAndSecret;
  readonly #agent = new Agent({
    connectTimeout: CONNECT_TIMEOUT_MS,
    headersTimeout: ANSWER_TIMEOUT_MS,
    bodyTimeout: ANSWER_TIMEOUT_MS,
    maxResponseSize: MAX_REPLY_MIB * 1024 * 1024,
  });

  /** `address` is that of its api.php. */
  constructor(address: string, credentials: KeyAndSecret) {
    const url = URL.parse(address);
    if (url === null || !/^https?:$/.test(url.protocol) || url.search !== '' || url.username !== '') {
      throw new OperatorError(
        `--from must be the address of an api.php, such as https://old.example/api/v1/api.php, got ${JSON.stringify(address)}`,
      );
    }
    this.#url = url;
    this.#credentials = credentials;
  }

  get host(): string {
    return this.#url.host;
  }

  /** The rows of getTasks. */
  getTasks(): Promise<PhpArray[]> {
    return this.#list({ what: 'getTasks', parameters: 'action=getTasks' });
  }

  /** The rows of the history of a task, the newest first. */
  getTaskHistory(taskId: number): Promise<PhpArray[]> {
    return this.#list({
      what: `getTaskHistory of task ${taskId}`,
      parameters: `action=getTaskHistory&taskId=${taskId}`,
    });
  }

  async close(): Promise<void> {
    await this.#agent.close();
  }

  async #list(question: Question): Promise<PhpArray[]> {
    const { what } = question;
    const reply = await this.#ask(question);
    if (String(reply.get('success')) !== '1') {
      throw new OperatorError(`${this.host} refuses ${what}: ${textOf(reply.get('message'))}`);
    }
    const data = reply.get('data') ?? [];
    const rows = data instanceof PhpArray ? [...data.values()] : data;
    if (!Array.isArray(rows) || !rows.every((row) => row instanceof PhpArray)) {
      throw new OperatorError(`${this.host} answers ${what} with data that is not a list of rows.`);
    }
    return rows;
  }

  async #ask({ what, parameters }: Question): Promise<PhpArray> {
    const { key, secret } = this.#credentials;
    const query = signedQuery(`target=scheduler&${parameters}`, key, secret);
    let status: number;
    let text: string;
    try {
      // A redirect is not followed: a signature is for the server that was named.
      const response = await request(`${this.#url.href}?${query}`, { dispatcher: this.#agent });
      status = response.statusCode;
      text = await response.body.text();
    } catch (error) {
      if (codeOf(error) === TOO_LONG) {
        throw new OperatorError(`${this.host} answers ${what} with more than is accepted: ${MAX_REPLY_MIB} MiB.`);
      }
      throw new OperatorError(`${this.host} does not answer ${what}: ${reasonOf(error)}.`);
    }
    if (status === 401)
      throw new OperatorError(`${this.host} does not let the key in: the key or its secret is wrong.`);
    const reply = parseReply(text);
    if (reply === null) {
      const shown = quoted(text.slice(0, SHOWN_LENGTH));
      throw new OperatorError(`${this.host} answers ${what} with ${status} and no JSON object: ${shown}`);
    }
    return reply;
  }
}

function parseReply(text: string): PhpArray | null {
  try {
    const value = parseJsonForPhp(text.trim());
    return value instanceof PhpArray ? value : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

function textOf(value: PhpValue | undefined): string {
  return typeof value === 'string' ? printable(value.slice(0, SHOWN_LENGTH)) : 'it does not say why';
}
