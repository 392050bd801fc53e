import { describe, test } from 'vitest';
import {
  checkAgainstOracle,
  checkDailyInterval,
  checkExclusions,
  checkFarDates,
  checkNeverDue,
} from '../support/calendar-properties.ts';
import { inSoak } from '../support/soak.ts';

describe('the calendar, at length', () => {
  test('it agrees with a clock read minute by minute, in twenty zones', () =>
    checkAgainstOracle(inSoak(20_000, 6_000)));
  test('it agrees with a search date by date', () => checkFarDates(inSoak(10_000, 2_000)));
  test('it refuses a rule as never due exactly when no date has it', () => checkNeverDue(inSoak(10_000, 2_000)));
  test('an interval of one day is the daily rule', () => checkDailyInterval(10_000));
  test('why a rule is not due is said by a field that does not fit', () => checkExclusions(1_500));
});
