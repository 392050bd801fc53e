import { describe, test } from 'vitest';
import {
  checkAgainstOracle,
  checkDailyInterval,
  checkExclusions,
  checkFarDates,
  checkNeverDue,
} from './support/calendar-properties.ts';

describe('the calendar, at length', () => {
  test('it agrees with a clock read minute by minute, in twenty zones', () => checkAgainstOracle(6_000));
  test('it agrees with a search date by date', () => checkFarDates(2_000));
  test('it refuses a rule as never due exactly when no date has it', () => checkNeverDue(2_000));
  test('an interval of one day is the daily rule', () => checkDailyInterval(10_000));
  test('why a rule is not due is said by a field that does not fit', () => checkExclusions(1_500));
});
