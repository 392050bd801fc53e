import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LegacyError } from '../../src/legacy/legacy-error.ts';
import { phpJsonEncode } from '../../src/legacy/php/json-encode.ts';
import { lastTextOf, pairsOf, parsePhpQuery } from '../../src/legacy/php/query.ts';
import { InvalidText, PhpArray } from '../../src/legacy/php/value.ts';

const shown = (query: string) => phpJsonEncode(parsePhpQuery(query));

describe('a query string is read as PHP reads it', () => {
  test('in the example that has every rule about names', () => {
    expect(shown('a.b[c.d]=1&+x=2&e[=3&f[g.h=4&i[j]k=5&[l]=6&m%00n=7&p]q=9')).toBe(
      '{"a_b":{"c.d":"1"},"x":"2","e_":"3","f_g_h":"4","i":{"j":"5"},"m":"7","p]q":"9"}',
    );
  });

  // Each of these is what PHP itself answered.
  test.each([
    ['a=1&a=2', '{"a":"2"}'],
    ['a[b]=c&a[]=d', '{"a":{"b":"c","0":"d"}}'],
    ['a[]=x&a[]=y', '{"a":["x","y"]}'],
    ['a[b][c]=1', '{"a":{"b":{"c":"1"}}}'],
    ['a=1&b=2&a[x]=3', '{"a":{"x":"3"},"b":"2"}'],
    ['a[x]=1&a=2', '{"a":"2"}'],
    ['a=b+c%20d', '{"a":"b c d"}'],
    ['a=1;b=2', '{"a":"1;b=2"}'],
    ['a&b=', '{"a":"","b":""}'],
    ['=1&&&a=b=c', '{"a":"b=c"}'],
    ['a%5Bb%5D=1&c%3Dd=2', '{"a":{"b":"1"},"c=d":"2"}'],
    ['o[ ]=1&o[  ]=2&o[ x]=3&o[%09]=4', '{"o":{"0":"1","  ":"2"," x":"3","1":"4"}}'],
    ['a[b][c=1&d[][e=2', '{"a":{"b":"1"},"d":["2"]}'],
    ['a[b.c=1&x[[=2&y[ .[=3', '{"a_b_c":"1","x__":"2","y____":"3"}'],
    ['a[[b]=1&c[d[e]]=2&f[g]]=3&h[i]x[j]=4', '{"a":{"[b":"1"},"c":{"d[e":"2"},"f":{"g":"3"},"h":{"i":"4"}}'],
    ['a[%00b]=1&e[f]%00[g]=4', '{"a_":"1","e":{"f":"4"}}'],
    ['a%=1&b%4=2&c%zz=3', '{"a%":"1","b%4":"2","c%zz":"3"}'],
    ['a[2]=x&a[1]=y&a[]=z', '{"a":{"2":"x","1":"y","3":"z"}}'],
    ['a[-5]=x&a[]=y&b[05]=1&b[]=2&c[-0]=1', '{"a":{"-5":"x","-4":"y"},"b":{"05":"1","0":"2"},"c":{"-0":"1"}}'],
    ['a[9223372036854775807]=1&a[]=2', '{"a":{"9223372036854775807":"1"}}'],
    ['a[9223372036854775808]=1&a[]=2', '{"a":{"9223372036854775808":"1","0":"2"}}'],
    ['__proto__[x]=1&constructor=2', '{"__proto__":{"x":"1"},"constructor":"2"}'],
    ['n=%E2%82%AC', '{"n":"\\u20ac"}'],
    ['', '[]'],
  ])('%s', (query, expected) => {
    expect(shown(query)).toBe(expected);
  });

  test('whatever it holds, without harm to the prototype of objects', () => {
    const part = fc.constantFrom(
      'a',
      '[',
      ']',
      '[]',
      '=',
      '&',
      '.',
      ' ',
      '+',
      '%00',
      '%5B',
      '__proto__',
      '0',
      '-1',
      'é',
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 40 }), (parts) => {
        phpJsonEncode(parsePhpQuery(parts.join('')));
        return Object.keys(Object.prototype).length === 0;
      }),
    );
  });

  test('so that plain names and values come back as they were, in order', () => {
    const name = fc.stringMatching(/^[a-z_]{1,8}$/);
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(name, fc.string({ unit: 'grapheme' })), { selector: ([key]) => key }),
        (pairs) => {
          const query = pairs.map(([key, value]) => `${key}=${encodeURIComponent(value)}`).join('&');
          expect([...parsePhpQuery(query)]).toEqual(pairs);
        },
      ),
    );
  });
});

describe('the limits of PHP are errors', () => {
  test('64 levels of brackets pass and the 65th is refused', () => {
    let value = parsePhpQuery(`a${'[b]'.repeat(64)}=1`).get('a');
    for (let level = 0; level < 64; level += 1) value = (value as PhpArray).get('b');
    expect(value).toBe('1');
    expect(() => parsePhpQuery(`a${'[b]'.repeat(65)}=1`)).toThrow(LegacyError);
    expect(() => parsePhpQuery(`a${'[]'.repeat(65)}=1`)).toThrow('a: more than 64 levels');
  });

  test('1000 pairs pass, empty ones uncounted, and the 1001st is refused though it repeats a name', () => {
    expect(parsePhpQuery('a=1&&'.repeat(1000)).size).toBe(1);
    expect(() => parsePhpQuery('a=1&'.repeat(1001))).toThrow(LegacyError);
  });
});

describe('bytes that are not UTF-8', () => {
  test('are kept apart from every text', () => {
    expect(parsePhpQuery('a=%FF&b=ok')).toEqual(
      new PhpArray([
        ['a', new InvalidText()],
        ['b', 'ok'],
      ]),
    );
    expect(parsePhpQuery(Buffer.from([0x61, 0x3d, 0xc3])).get('a')).toBeInstanceOf(InvalidText);
  });

  test('in a name spoil its value', () => {
    expect((parsePhpQuery('a[%FF]=1').get('a') as PhpArray).values().next().value).toBeInstanceOf(InvalidText);
  });
});

test('the text of a single parameter is found beyond all limits', () => {
  const query = `apiKey=x&apiKey=K%2B&a${'[b]'.repeat(65)}=1&${'c=1&'.repeat(1001)}`;
  const textOf = (query: string) => lastTextOf([...pairsOf(query)], 'apiKey');
  expect(textOf(query)).toBe('K+');
  expect(textOf('apiKey')).toBe('');
  expect(textOf('apikey=1')).toBeNull();
  expect(textOf('apiKey=%FF')).toBeNull();
});
