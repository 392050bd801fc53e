import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'vitest';
import { rageAndCheck } from './support/chaos.ts';

test('deaths, freezes and lost connections for a quarter of a minute lose nothing and double nothing', {
  timeout: 240_000,
}, async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'slotkeeper-chaos-'));
  await rageAndCheck({ seed: Date.now() % 1_000_000, seconds: 15, tasks: 40, dataDir });
});
