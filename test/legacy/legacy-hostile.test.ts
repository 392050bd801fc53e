import { test } from 'vitest';
import { sendHostileCalls } from '../support/hostile.ts';

test('300 hostile calls of the old API find no fault, store nothing and leave the server as it was', () =>
  sendHostileCalls(300));
