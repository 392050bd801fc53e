// The data of a task that calls a URL. Old callers send numbers as text, and PHP's forms send a list as an object.
import { z } from 'zod';
import { describeExpected, parseExpectedStatus, STATUS_RULE, type StatusRange } from './expected-status.ts';
import { findDouble, findHeaderFault, MAX_HEADERS } from './headers.ts';
import { readTarget } from './url.ts';

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;
const SUCCESS: StatusRange[] = [{ from: 200, to: 299 }];
const MAX_STATUS_LENGTH = 200;

export const LIMITS = {
  timeoutSeconds: { default: 30, least: 1, most: 82_800 },
  redirects: { default: 5, least: 0, most: 20 },
  responseBytes: { default: 1024 * 1024, least: 1, most: 16 * 1024 * 1024 },
  shownCharacters: { default: 1_000, least: 0, most: 8_000 },
} as const;

function wholeNumber({ least, most }: { least: number; most: number }) {
  const number = z.int().min(least).max(most);
  const digits = z
    .string()
    .trim()
    .regex(/^\d{1,9}$/);
  return z.union([number, digits.transform(Number).pipe(number)]).nullish();
}

const url = z
  .string()
  .superRefine((text, context) => {
    const target = readTarget(text);
    if (typeof target === 'string') context.addIssue(`must be an http or https URL without a user: ${target}`);
  })
  .describe('Where the request goes: http or https, no user or password in it. Its query is shown in no message.');

const secretReference = z.strictObject({
  secret: z.string().describe('The name of a stored secret.'),
  prefix: z.string().nullish().describe('What comes before its value, such as "Bearer ".'),
});

const headers = z
  .union([
    z.record(z.string(), z.union([z.string(), z.number(), secretReference])),
    // PHP writes an empty object so.
    z
      .array(z.never())
      .max(0)
      .transform(() => ({})),
  ])
  .superRefine((values, context) => {
    const names = Object.keys(values);
    if (names.length > MAX_HEADERS) context.addIssue(`must have at most ${MAX_HEADERS} headers, got ${names.length}`);
    for (const [name, value] of Object.entries(values)) {
      const fault = findHeaderFault(name, value);
      if (fault !== null) context.addIssue({ code: 'custom', path: [name], message: fault });
    }
    const double = findDouble(names);
    if (double !== null) context.addIssue({ code: 'custom', path: [double], message: 'must not be given twice' });
  })
  .nullish()
  .describe(
    'Header names and their values: a text, or { "secret": NAME, "prefix": "Bearer " } for a stored secret, which is sent only to the hosts that it is stored for, by https unless it is stored for plain http there.',
  );

const status = z.union([z.int(), z.string().max(MAX_STATUS_LENGTH)]);

const expectedStatus = z
  .union([status, z.array(status).max(20), z.record(z.string(), status)])
  .nullish()
  .transform((given, context): StatusRange[] => {
    if (given === null || given === undefined) return SUCCESS;
    const ranges = parseExpectedStatus(typeof given === 'object' ? Object.values(given).join(',') : String(given));
    if (ranges !== null) return ranges;
    context.addIssue(`must be ${STATUS_RULE}, got ${JSON.stringify(given).slice(0, MAX_STATUS_LENGTH)}`);
    return z.NEVER;
  })
  .describe(
    `The status that counts as success: a number, a text of ${STATUS_RULE}, or a list of these; ${describeExpected(SUCCESS)} unless given.`,
  );

export const httpRequestData = z
  .looseObject({
    url,
    method: z.enum(METHODS).nullish().describe('The method; GET unless given.'),
    headers,
    body: z
      .unknown()
      .optional()
      .describe('What is sent: a text as it is, any other JSON value as application/json. Not with GET and HEAD.'),
    expected_status: expectedStatus,
    timeout_seconds: wholeNumber(LIMITS.timeoutSeconds).describe(
      `Seconds for the whole request with its redirects and the response; ${LIMITS.timeoutSeconds.default} unless given. The timeout of the task ends it too.`,
    ),
    max_redirects: wholeNumber(LIMITS.redirects).describe(
      `Redirects that are followed, up to ${LIMITS.redirects.most}; ${LIMITS.redirects.default} unless given. With 0 a redirect is itself the response.`,
    ),
    max_response_bytes: wholeNumber(LIMITS.responseBytes).describe(
      `Bytes of the response body, up to ${LIMITS.responseBytes.most}; ${LIMITS.responseBytes.default} unless given. The request of a larger one is ended and fails.`,
    ),
    log_response: wholeNumber(LIMITS.shownCharacters).describe(
      `Characters of the response body that go to the log of the run, up to ${LIMITS.shownCharacters.most}; unless given ${LIMITS.shownCharacters.default} of a response that was not expected, and none of one that was.`,
    ),
  })
  .superRefine(({ method, body }, context) => {
    if (body === undefined || body === null || ((method ?? 'GET') !== 'GET' && method !== 'HEAD')) return;
    context.addIssue({
      code: 'custom',
      path: ['body'],
      message: `a ${method ?? 'GET'} has none; give a method that has one`,
    });
  });

export type HttpRequestData = z.infer<typeof httpRequestData>;
