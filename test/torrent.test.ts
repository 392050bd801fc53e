// `torrent.long.test.ts` does the same for a minute.
import { expect, test } from 'vitest';
import { followTorrent } from './support/torrent.ts';

test('50 subscribers that drop and resume see what 8 writers commit out of order, once and in order', async () => {
  expect(await followTorrent(3)).toContain('once and in order by 50 subscribers');
});
