// The body of a call: a JSON object, an urlencoded form or a multipart form.
import { Busboy, type BusboyHeaders } from '@fastify/busboy';
import { LegacyError } from './legacy-error.ts';
import { JsonObject, parseJsonForPhp } from './php/json-decode.ts';
import { PhpPairs, parsePhpQuery } from './php/query.ts';
import { PhpArray } from './php/value.ts';

const FORM = 'application/x-www-form-urlencoded';
const MULTIPART = 'multipart/form-data';
const JSON_TYPE = 'application/json';
const NO_JSON_OBJECT = 'the body must be a single JSON object';
const ACCEPTED = `${JSON_TYPE}, ${FORM} or ${MULTIPART}`;

/** A body whose kind is known and which is not read yet. */
export type Body =
  | { kind: 'none' }
  | { kind: 'json' | 'form'; bytes: Buffer }
  | { kind: 'multipart'; bytes: Buffer; contentType: string }
  | { kind: 'unreadable'; reason: string };

/**
 * What looks like a JSON object is one, whatever its type: callers post JSON as a form. Anything else is what its type
 * says, and without a type a form.
 */
export function classifyBody(bytes: Buffer | null, contentType: string | undefined): Body {
  const start = bytes === null ? '' : bytes.toString('latin1').trimStart();
  if (bytes === null || start === '') return { kind: 'none' };
  if (/^(?:\xef\xbb\xbf[ \t\r\n]*)?\{/.test(start)) return { kind: 'json', bytes };
  const type = (contentType ?? FORM).split(';', 1)[0]?.trim().toLowerCase() ?? '';
  if (type === FORM) return { kind: 'form', bytes };
  if (type === MULTIPART) return { kind: 'multipart', bytes, contentType: contentType ?? '' };
  if (type.endsWith('json')) return { kind: 'unreadable', reason: NO_JSON_OBJECT };
  return { kind: 'unreadable', reason: `the type of the body must be ${ACCEPTED}, got ${JSON.stringify(type)}` };
}

/** The parameters of a body. Throws a LegacyError for one that cannot be read. */
export async function readBody(body: Body): Promise<PhpArray> {
  switch (body.kind) {
    case 'none':
      return new PhpArray();
    case 'json':
      return readJsonObject(body.bytes);
    case 'form':
      return parsePhpQuery(body.bytes);
    case 'multipart':
      return readMultipart(body.bytes, body.contentType);
    case 'unreadable':
      throw new LegacyError(body.reason);
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true });

function readJsonObject(body: Buffer): PhpArray {
  try {
    const object = parseJsonForPhp(decoder.decode(body).trim());
    if (object instanceof JsonObject) return object;
  } catch (error) {
    const fault = error instanceof SyntaxError ? error.message : 'bytes that are not UTF-8';
    throw new LegacyError(`the body must be a single JSON object: ${fault}`);
  }
  throw new LegacyError(NO_JSON_OBJECT);
}

/** Fields only, under PHP's rules for names; uploaded files are dropped, as no action takes one. */
function readMultipart(body: Buffer, contentType: string): Promise<PhpArray> {
  const pairs = new PhpPairs();
  return new Promise((resolve, reject) => {
    const fail = (error: unknown) => {
      if (error instanceof LegacyError) reject(error);
      else reject(new LegacyError(`the multipart body cannot be read: ${String(error)}`));
    };
    try {
      const headers: BusboyHeaders = { 'content-type': contentType };
      // Every part is taken as a file, because only those keep their bytes; PHP looks at no charset of a part.
      const parser = new Busboy({ headers, isPartAFile: () => true });
      parser.on('file', (name, stream, filename: string | undefined) => {
        const chunks: Buffer[] = [];
        stream.on('data', (chunk: Buffer) => chunks.push(chunk));
        stream.on('error', fail);
        stream.on('end', () => {
          if (name === undefined || filename !== undefined) return;
          try {
            pairs.add(Buffer.from(name).toString('latin1'), Buffer.concat(chunks).toString('latin1'));
          } catch (error) {
            fail(error);
          }
        });
      });
      parser.on('error', fail);
      parser.on('finish', () => resolve(pairs.array));
      parser.end(body);
    } catch (error) {
      fail(error);
    }
  });
}
