// The body of a call: a JSON object, an urlencoded form or a multipart form.
import { Busboy, type BusboyHeaders } from '@fastify/busboy';
import { LegacyError } from './legacy-error.ts';
import { JsonObject, parseJsonForPhp } from './php/json.ts';
import { PhpPairs, parsePhpQuery } from './php/query.ts';
import { PhpArray } from './php/value.ts';

export const FORM = 'application/x-www-form-urlencoded';
const MULTIPART = 'multipart/form-data';
const JSON_TYPE = 'application/json';
const ACCEPTED = `${JSON_TYPE}, ${FORM} or ${MULTIPART}`;

/**
 * What looks like a JSON object is one, whatever its type: callers post JSON as a form. Anything else is read as its type
 * says, and without a type as a form. Throws a LegacyError for a body that cannot be read.
 */
export async function readBody(body: Buffer | null, contentType: string | undefined): Promise<PhpArray> {
  const start = body === null ? '' : body.toString('latin1').trimStart();
  if (body === null || start === '') return new PhpArray();
  if (/^(?:\xef\xbb\xbf[ \t\r\n]*)?\{/.test(start)) return readJsonObject(body);
  const type = (contentType ?? FORM).split(';', 1)[0]?.trim().toLowerCase() ?? '';
  if (type === FORM) return parsePhpQuery(body);
  if (type === MULTIPART) return readMultipart(body, contentType ?? '');
  if (type.endsWith('json')) throw new LegacyError('the body is no JSON object; accepted is a single JSON object');
  throw new LegacyError(`the body is of type ${JSON.stringify(type)}; accepted is ${ACCEPTED}`);
}

const decoder = new TextDecoder('utf-8', { fatal: true });

function readJsonObject(body: Buffer): PhpArray {
  try {
    const object = parseJsonForPhp(decoder.decode(body).trim());
    if (object instanceof JsonObject) return object;
  } catch (error) {
    const fault = error instanceof SyntaxError ? error.message : 'bytes that are not UTF-8';
    throw new LegacyError(`the body is no JSON object: ${fault}; accepted is a single JSON object`);
  }
  throw new LegacyError('the body is no JSON object; accepted is a single JSON object');
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
