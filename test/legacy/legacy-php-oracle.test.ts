// Our reading of queries and writing of JSON, judged by real PHP.
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

const COUNT = 3_000;

describe.skipIf(!hasPhp())(`real PHP agrees${WITHOUT_PHP}`, () => {
  test('on what any query holds', () => queriesAreReadAsPhpDoes(COUNT));
  test('on names with many brackets', () => nestedNamesAreReadAsPhpDoes(COUNT));
  test('on JSON that it decodes and encodes again', () => jsonIsRecodedAsPhpDoes(COUNT));
  test('on text that is not JSON', () => damagedJsonIsRefusedWherePhpDoes(COUNT));
  test('on numbers', () => numbersAreWrittenAsPhpDoes(COUNT));
  test('on every tenth character', () => charactersAreWrittenAsPhpDoes(10));
});
