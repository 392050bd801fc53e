// The setting DNS_SERVERS: a file with the address and the load commands of each server, by its name. Everything that
// touches the machine is here; the API knows servers by name.
import { readFileSync } from 'node:fs';
import { basename, isAbsolute, resolve } from 'node:path';
import { z } from 'zod';
import { reasonOf } from '../lib/describe-error.ts';

/** No character that would end a quoted path in a configuration file. */
const path = z
  .string()
  .max(1_000)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what is refused
  .refine((value) => isAbsolute(value) && !/[\x00-\x1f"\\]/.test(value), 'must be an absolute path without quotes');

const command = z
  .array(z.string().max(1_000), 'must be a list of a program and its arguments')
  .min(1, 'must be a list of a program and its arguments, got an empty one')
  .max(100)
  .refine(([program = '']) => program !== '' && !program.includes('{'), 'begins with no program');

const zoneList = z.strictObject({
  file: z
    .string()
    .max(200)
    .refine((name) => basename(name) === name && /^[\w.-]+$/.test(name) && !/^\.|\.zone$/.test(name), {
      error:
        'must be a file name such as zones.conf: letters, digits, dots, hyphens and underscores, not ending with .zone',
    }),
  header: z.string().max(10_000).default(''),
  entry: z.string().max(10_000).includes('{zone}', 'does not hold {zone}'),
  load: command,
});

const server = z.strictObject({
  address: z.union([z.ipv4(), z.ipv6()], 'must be an IP address'),
  port: z.int().min(1).max(65_535).default(53),
  directory: path,
  /** Run for each zone, or once for all where it names none. */
  load: command,
  zoneList: zoneList.optional(),
  timeoutSeconds: z.number().min(0.1).max(600).default(10),
});

const servers = z.record(z.string().min(1).max(255), server).superRefine((all, context) => {
  const owners = new Map<string, string>();
  for (const [name, { directory }] of Object.entries(all)) {
    const owner = owners.get(resolve(directory));
    if (owner === undefined) owners.set(resolve(directory), name);
    else
      context.addIssue({
        code: 'custom',
        path: [name, 'directory'],
        message: `must not be the directory of ${owner} too`,
      });
  }
});

/** How one name server is reached. Seconds, an address and a port, an absolute directory, commands as their arguments. */
export type DnsServerSettings = z.infer<typeof server>;
export type DnsServersSettings = Readonly<Record<string, DnsServerSettings>>;

/** For the settings: the servers of the file at `value`; every fault of it is one issue. */
export const dnsServersFile = z.string().transform((value, context): DnsServersSettings => {
  const refuse = (message: string) => context.addIssue({ code: 'custom', message });
  let text: unknown;
  try {
    text = JSON.parse(readFileSync(value, 'utf8'));
  } catch (error) {
    refuse(`cannot be read: ${value}: ${reasonOf(error)}`);
    return z.NEVER;
  }
  const parsed = servers.safeParse(text);
  if (parsed.success) return parsed.data;
  for (const { path: place, message } of parsed.error.issues) refuse(`(${value}): ${place.join('.')} ${message}`);
  return z.NEVER;
});
