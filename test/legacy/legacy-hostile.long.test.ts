import { test } from 'vitest';
import { sendHostileCalls } from '../support/hostile.ts';

test('10,000 hostile calls of the old API find no fault, store nothing and take no memory for good', () =>
  sendHostileCalls(10_000));
