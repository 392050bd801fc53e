import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'vitest';
import { rageAndCheck } from './support/chaos.ts';

test('a minute of deaths, freezes and lost connections loses nothing and doubles nothing', {
  timeout: 200_000,
}, async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'slotkeeper-chaos-'));
  await rageAndCheck({ seed: Date.now() % 1_000_000, seconds: 65, tasks: 60, dataDir });
});
