import { randomBytes } from 'node:crypto';
import type { KeyAndSecret } from './credentials.ts';

const MAX_PREFIX = 20;

/** A new key and secret; the key begins with the name, without unusable characters, so that people recognise it. */
export function newPair(name: string): KeyAndSecret {
  return { key: `${prefixOf(name)}-${randomBytes(8).toString('hex')}`, secret: randomBytes(24).toString('hex') };
}

/** Without the marks that divide a key from its secret in a header. */
function prefixOf(name: string): string {
  const letters = name
    .normalize('NFKD')
    .toLowerCase()
    .replace(/\p{M}/gu, '')
    .replace(/[^a-z0-9]+/g, '-');
  return letters.replace(/^-/, '').slice(0, MAX_PREFIX).replace(/-$/, '') || 'key';
}
