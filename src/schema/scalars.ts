// The scalars; their errors say what came and what is accepted.
import { GraphQLError } from 'graphql';
import { findCidrFault } from '../addresses/cidr.ts';
import { parseDay } from '../calendar/repeat-rule.ts';
import { toIso } from '../database/timestamp.ts';
import { builder } from './builder.ts';

const SHOWN = 80;

function refuse(scalar: string, value: unknown, accepted: string): GraphQLError {
  const came = (JSON.stringify(value) ?? String(value)).slice(0, SHOWN);
  return new GraphQLError(`a ${scalar} must be ${accepted}, got ${came}`, {
    extensions: { code: 'BAD_USER_INPUT' },
  });
}

const INSTANT = /^\d{4}-\d\d-\d\dT([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,9})?)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$/;

function parseInstant(value: unknown): Date {
  if (typeof value === 'string' && INSTANT.test(value) && parseDay(value.slice(0, 10)) !== null) {
    const instant = new Date(value);
    // An offset may lead beyond the years that a text of four digits can say.
    if (parseDay(instant.toISOString().slice(0, 10)) !== null) return instant;
  }
  const accepted = 'an instant as ISO 8601 with its offset, such as "2026-03-01T09:30:00Z" or "2026-03-01T10:30+01:00"';
  throw refuse('DateTime', value, accepted);
}

builder.scalarType('DateTime', {
  description:
    'An instant in ISO 8601, such as `2026-03-01T09:30:00.000Z`. Output is UTC with milliseconds; input must carry `Z` or an offset.',
  specifiedByURL: 'https://scalars.graphql.org/andimarek/date-time.html',
  serialize: (value) => (typeof value === 'string' ? toIso(value) : value.toISOString()),
  parseValue: parseInstant,
});

builder.scalarType('Date', {
  description: 'A calendar date without a time zone: `YYYY-MM-DD`, from the year 1000.',
  serialize: (value) => value,
  parseValue: (value) => {
    if (typeof value === 'string' && parseDay(value) !== null) return value;
    throw refuse('Date', value, 'a day that exists, as "YYYY-MM-DD", from the year 1000 on');
  },
});

builder.scalarType('JSON', {
  description: 'Any JSON value.',
  serialize: (value) => value,
  parseValue: (value) => value,
});

builder.scalarType('Cidr', {
  description:
    'A block of IPv4 or IPv6 addresses, such as `10.1.0.0/16` or `2001:db8::/32`. The bits after the prefix must be zero.',
  serialize: (value) => value,
  parseValue: (value) => {
    if (typeof value !== 'string') throw refuse('Cidr', value, 'a string such as "10.1.0.0/16" or "2001:db8::/32"');
    const fault = findCidrFault(value);
    if (fault === null) return value;
    throw refuse('Cidr', value, fault);
  },
});

builder.scalarType('DnsSerial', {
  description: 'The serial number of a DNS zone: an integer from 0 to 4294967295, compared as in RFC 1982.',
  specifiedByURL: 'https://www.rfc-editor.org/rfc/rfc1982',
  serialize: (value) => value,
  parseValue: (value) => {
    if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 2 ** 32) return value;
    throw refuse('DnsSerial', value, 'a whole number from 0 to 4294967295');
  },
});
