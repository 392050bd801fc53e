import { expect, test } from 'vitest';
import { inSoak } from '../support/soak.ts';
import { followTorrent } from '../support/torrent.ts';

test('for half a minute, 50 subscribers that drop and resume see what 8 writers commit out of order, once and in order', async () => {
  const seen = await followTorrent(inSoak(60, 30));
  process.stdout.write(`${seen}\n`);
  expect(seen).toContain('once and in order by 50 subscribers');
});
