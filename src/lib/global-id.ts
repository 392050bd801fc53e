import { badInput } from './faults.ts';

/** The types that `node` finds. */
const NODE_TYPES = ['Task', 'RepeatItem', 'Run', 'User', 'IpBlock', 'DnsZone', 'DnsRecord', 'DnsServer'] as const;
export type NodeType = (typeof NODE_TYPES)[number];

// At most as many digits as a number holds exactly.
const GLOBAL_ID = /^([A-Za-z]+):([1-9]\d{0,14})$/;
const SHOWN = 80;
/** All other ids have 32 bits in the database, which refuses to compare them with larger ones. */
const WIDE: readonly string[] = ['Run'] satisfies NodeType[];
const MAX_NARROW_ID = 2_147_483_647;

export function toGlobalId(type: NodeType, id: number): string {
  return Buffer.from(`${type}:${id}`).toString('base64');
}

/** The type and database id of a global id. BAD_USER_INPUT at `path` if it is not one. */
export function parseGlobalId(globalId: string, path: string): { type: NodeType; id: number } {
  const [, name, digits] = GLOBAL_ID.exec(Buffer.from(globalId, 'base64').toString('latin1')) ?? [];
  const type = NODE_TYPES.find((known) => known === name);
  const id = Number(digits);
  if (type === undefined || (id > MAX_NARROW_ID && !WIDE.includes(type))) {
    throw badInput(path, `must be an id, got "${globalId.slice(0, SHOWN)}"`);
  }
  return { type, id };
}

/** The database id of a global id that must be of `type`. */
export function readGlobalId(type: NodeType, globalId: string, path: string): number {
  const found = parseGlobalId(globalId, path);
  if (found.type === type) return found.id;
  throw badInput(path, `must be the id of a ${type}, got "${globalId}", the id of a ${found.type}`);
}
