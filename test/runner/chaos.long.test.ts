// `npm run test:chaos`; with CHAOS_SEED it makes the same blows again. A soak goes on for four minutes.
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'vitest';
import { rageAndCheck } from '../support/chaos.ts';
import { inSoak } from '../support/soak.ts';

test('minutes of deaths, freezes, restarts and lost connections lose nothing and double nothing', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'slotkeeper-chaos-'));
  const seed = Number(process.env.CHAOS_SEED ?? Date.now() % 1_000_000);
  await rageAndCheck({ seed, seconds: inSoak(245, 120), tasks: 300, dataDir });
});
