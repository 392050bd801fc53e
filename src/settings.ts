// The only reader of process.env. Reports all faults of the settings together.
import ipaddr from 'ipaddr.js';
import { z } from 'zod';
import { defaultLocations, MAX_KEEP, parseLocations } from './backup/locations.ts';
import { isTimeZone } from './calendar/schedule.ts';
import { parseMasterKey } from './credentials/master-key.ts';
import { dnsServersFile } from './dns/server-settings.ts';
import { reasonOf } from './lib/describe-error.ts';
import { OperatorError } from './lib/operator-error.ts';
import { LEASE_SECONDS } from './scheduling/jobs.ts';
import { PrivateTargets } from './task-classes/built-in/http-request/private-targets.ts';
import { MAX_HOLDING_DAYS } from './task-classes/built-in/process-holding-task.ts';

const ROLES = ['all', 'gateway', 'runner'] as const;
const SAMPLERS = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const;
const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

const MAX_DAYS = 36_500;

const wholeNumber = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d{1,9}$/, `must be a whole number from ${least} to ${most}`)
    .transform(Number)
    .refine((value) => value >= least && value <= most, `must be a whole number from ${least} to ${most}`);

const text = (most: number) =>
  z
    .string()
    .min(1)
    .max(most, `must have at most ${most} characters`)
    // No control characters: keys, secrets and their signatures are sent in headers.
    .regex(/^[\x21-\x7e]+$/, 'must not contain blanks or characters outside ASCII');

const endpoint = z
  .string()
  .refine((value) => /^https?:\/\//.test(value) && URL.canParse(value), 'must be an http:// or https:// URL')
  .optional();

/** What Fastify accepts as a proxy's address; never all addresses, or every client could forge its own. */
const isProxy = (name: string) =>
  PROXY_NETWORKS.includes(name) ||
  ipaddr.IPv4.isValidFourPartDecimal(name) ||
  ipaddr.IPv6.isValid(name) ||
  ipaddr.isValidCIDR(name);
const PROXY_NETWORKS = ['loopback', 'linklocal', 'uniquelocal'];

const settings = z
  .object({
    HOST: z.string().min(1).default('127.0.0.1'),
    PORT: wholeNumber(0, 65_535).default(4000),
    METRICS_PORT: wholeNumber(0, 65_535).optional(),
    TLS_CERT: z.string().min(1).optional(),
    TLS_KEY: z.string().min(1).optional(),
    TRUST_PROXY: z
      .string()
      .transform((value) => value.split(',').map((name) => name.trim()))
      .refine((names) => names.every(isProxy), 'must be a list of addresses and blocks such as 10.0.0.0/8, or loopback')
      .default([]),
    STREAMS_PER_KEY: wholeNumber(1, 1_000_000).default(5_000),
    PERSISTED_OPERATIONS: z.string().min(1).optional(),
    INTROSPECTION: z.enum(['on', 'off'], 'must be on or off').default('on'),
    GRAPHIQL: z.enum(['on', 'off'], 'must be on or off').default('off'),
    DATABASE_URL: z
      .string()
      .regex(/^postgres(ql)?:\/\//, 'must be a postgresql:// URL')
      .optional(),
    DATA_DIR: z.string().min(1).default('./data'),
    TIME_ZONE: z.string().refine(isTimeZone, 'must be an IANA time zone such as Europe/Berlin').default('UTC'),
    ROLE: z.enum(ROLES, `must be one of ${ROLES.join(', ')}`).default('all'),
    CONCURRENCY: wholeNumber(1, 1_000).default(10),
    TASK_MODULES: z
      .string()
      .transform((value) => value.split(',').map((name) => name.trim()))
      .refine(
        (names) => names.every((name) => name !== ''),
        'must be a list of files and packages, separated by commas',
      )
      .default([]),
    BACKUP_LOCATIONS: z
      .string()
      .transform((value, context) => {
        const locations = parseLocations(value);
        if (locations !== null) return locations;
        context.addIssue({
          code: 'custom',
          message: `must be a list such as disk=/var/backups,share=/mnt/share:keepAtLeast=14, with distinct names, absolute paths, and keepAtLeast from 1 to ${MAX_KEEP}`,
        });
        return z.NEVER;
      })
      .optional(),
    HOLDING_DAYS: wholeNumber(0, MAX_HOLDING_DAYS).default(30),
    HTTP_ALLOW_PRIVATE: z
      .string()
      .default('')
      .transform((list, context) => {
        try {
          return PrivateTargets.parse(list);
        } catch (error) {
          context.addIssue(reasonOf(error));
          return z.NEVER;
        }
      }),
    DNS_SERVERS: dnsServersFile.default({}),
    GRACE_SECONDS: wholeNumber(0, 3_600).default(10),
    LEASE_SECONDS: wholeNumber(LEASE_SECONDS.least, LEASE_SECONDS.most).default(LEASE_SECONDS.default),
    RETENTION_DAYS: wholeNumber(0, MAX_DAYS).default(90),
    HISTORY_RETENTION_DAYS: wholeNumber(0, MAX_DAYS).default(0),
    MASTER_KEY: z
      .string()
      .transform((value, context) => {
        const key = parseMasterKey(value);
        if (key !== null) return key;
        context.addIssue({ code: 'custom', message: 'must be 64 hexadecimal digits or 32 bytes in base64' });
        return z.NEVER;
      })
      .optional(),
    ADMIN_API_KEY: text(255)
      .regex(/^[^.:]+$/, 'must not contain a dot or a colon, which separate it from the secret')
      .optional(),
    ADMIN_API_SECRET: text(255).optional(),
    LOG_LEVEL: z.enum(LOG_LEVELS, `must be one of ${LOG_LEVELS.join(', ')}`).default('info'),
    // The OpenTelemetry settings that we use. The SDK itself reads OTEL_EXPORTER_OTLP_HEADERS, which may be secret,
    // those of TLS, and OTEL_RESOURCE_ATTRIBUTES.
    OTEL_SDK_DISABLED: z
      .string()
      .transform((value) => value.toLowerCase() === 'true')
      .default(false),
    OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: endpoint,
    OTEL_EXPORTER_OTLP_TIMEOUT: wholeNumber(1, 60_000).default(3_000),
    OTEL_BSP_SCHEDULE_DELAY: wholeNumber(1, 60_000).default(5_000),
    OTEL_SERVICE_NAME: z.string().min(1).max(255).default('slotkeeper'),
    OTEL_TRACES_SAMPLER: z.enum(SAMPLERS, `must be one of ${SAMPLERS.join(', ')}`).default('parentbased_always_on'),
    OTEL_TRACES_SAMPLER_ARG: z
      .string()
      .regex(/^\d?(\.\d+)?$/, 'must be a number from 0 to 1')
      .transform(Number)
      .refine((value) => value <= 1, 'must be a number from 0 to 1')
      .default(1),
    LEGACY_PREFIX: z
      .string()
      .transform((value) => value.split(',').map((prefix) => `/${prefix.trim().replace(/^\/+|\/+$/g, '')}`))
      .refine(
        (prefixes) => prefixes.every((prefix) => /^(\/[\w.~-]+)+$/.test(prefix)),
        'must be a list of path prefixes',
      )
      .default([]),
    LEGACY_CONTENT_TYPE: z
      .string()
      .regex(/^[\x20-\x7e]{1,100}$/, 'must be a content type')
      .default('application/json'),
    LEGACY_EXECUTE_TIMEOUT: wholeNumber(1, 600).default(50),
  })
  .refine(
    (value) => (value.ADMIN_API_KEY === undefined) === (value.ADMIN_API_SECRET === undefined),
    'ADMIN_API_KEY and ADMIN_API_SECRET must be set together',
  )
  .refine(
    (value) => (value.TLS_CERT === undefined) === (value.TLS_KEY === undefined),
    'TLS_CERT and TLS_KEY must be set together',
  )
  .refine(
    ({ RETENTION_DAYS, HISTORY_RETENTION_DAYS }) =>
      HISTORY_RETENTION_DAYS === 0 || (RETENTION_DAYS > 0 && HISTORY_RETENTION_DAYS >= RETENTION_DAYS),
    'HISTORY_RETENTION_DAYS must be at least RETENTION_DAYS (0 is for ever)',
  )
  .transform((value) => ({ ...value, BACKUP_LOCATIONS: value.BACKUP_LOCATIONS ?? defaultLocations(value.DATA_DIR) }));

export type Settings = z.infer<typeof settings>;

/** The names of all settings, with which a test compares docs/settings.md. */
export const SETTING_NAMES: readonly string[] = Object.keys(settings.in.shape);

/** Reads the settings; an empty variable counts as unset. Throws an OperatorError that names every fault. */
export function readSettings(): Settings {
  const given = Object.fromEntries(Object.entries(process.env).filter(([, value]) => value !== ''));
  const parsed = settings.safeParse(given);
  if (parsed.success) return parsed.data;
  // Without the values: some are secrets.
  const faults = parsed.error.issues.map(({ path, message }) => `${path.join('.')} ${message}`.trim());
  throw new OperatorError(`Invalid settings: ${faults.join('; ')}.`);
}

/** For MikroORM's command line, which needs no other setting. */
export function readDatabaseUrl(): string | undefined {
  return process.env.DATABASE_URL || undefined;
}

/** For `slotkeeper sign`. */
export function readSigningKey(): { key: string | undefined; secret: string | undefined } {
  return { key: process.env.ADMIN_API_KEY || undefined, secret: process.env.ADMIN_API_SECRET || undefined };
}

/**
 * Whether `npm start` or `npx slotkeeper` launched us: npm, or the shell in between, does not forward every signal.
 * Other programs that npx runs may leave us running on purpose.
 */
export function startedByNpm(): boolean {
  const { npm_lifecycle_event: event, npm_lifecycle_script: script = '' } = process.env;
  return event === 'start' || (event === 'npx' && /^['"]?slotkeeper\b/.test(script));
}
