// The same comparison with real PHP as in legacy-php-oracle.test.ts, on many more inputs.
import { describe, test } from 'vitest';
import { hasPhp, WITHOUT_PHP } from '../support/php.ts';
import {
  charactersAreWrittenAsPhpDoes,
  damagedJsonIsRefusedWherePhpDoes,
  jsonIsRecodedAsPhpDoes,
  nestedNamesAreReadAsPhpDoes,
  numbersAreWrittenAsPhpDoes,
  queriesAreReadAsPhpDoes,
} from '../support/php-properties.ts';

const COUNT = 100_000;
const TIMEOUT_MS = 300_000;

describe.skipIf(!hasPhp())(`real PHP agrees${WITHOUT_PHP}`, { timeout: TIMEOUT_MS }, () => {
  test('on what any of 100,000 queries holds', () => queriesAreReadAsPhpDoes(COUNT));
  test('on 100,000 lists of names with many brackets', () => nestedNamesAreReadAsPhpDoes(COUNT));
  test('on 100,000 JSON texts that it decodes and encodes again', () => jsonIsRecodedAsPhpDoes(COUNT));
  test('on 100,000 damaged JSON texts', () => damagedJsonIsRefusedWherePhpDoes(COUNT));
  test('on 100,000 numbers', () => numbersAreWrittenAsPhpDoes(COUNT));
  test('on every character of the BMP, by itself and as an escape', () => charactersAreWrittenAsPhpDoes());
});
