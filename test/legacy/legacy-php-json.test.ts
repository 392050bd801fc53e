import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type JsonObject, parseJsonForPhp } from '../../src/legacy/php/json-decode.ts';
import { phpJsonEncode, phpRecode, RawJson } from '../../src/legacy/php/json-encode.ts';
import { InvalidText } from '../../src/legacy/php/value.ts';

describe('json_encode', () => {
  test('spells every control character, the slash and nothing else of ASCII', () => {
    const controls = Array.from({ length: 32 }, (_, code) => String.fromCharCode(code)).join('');
    expect(phpJsonEncode(controls)).toBe(
      '"\\u0000\\u0001\\u0002\\u0003\\u0004\\u0005\\u0006\\u0007\\b\\t\\n\\u000b\\f\\r\\u000e\\u000f' +
        '\\u0010\\u0011\\u0012\\u0013\\u0014\\u0015\\u0016\\u0017\\u0018\\u0019\\u001a\\u001b\\u001c\\u001d\\u001e\\u001f"',
    );
    expect(phpJsonEncode('</a>\\"\'&\u007f')).toBe('"<\\/a>\\\\\\"\'&\u007f"');
  });

  test('escapes every UTF-16 unit from U+0080 up in lower case', () => {
    expect(phpJsonEncode('\u0080é€\u2028\uffff😀')).toBe('"\\u0080\\u00e9\\u20ac\\u2028\\uffff\\ud83d\\ude00"');
  });

  test('writes texts that read back as they were, in ASCII', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const encoded = phpJsonEncode(text);
        expect(JSON.parse(encoded)).toBe(text);
        expect(encoded).not.toMatch(/[\u0080-\uffff]|[^\\]\//);
      }),
    );
  });

  test('takes in what is already encoded', () => {
    expect(phpJsonEncode({ success: 1, data: [new RawJson('{"a":1.0e+17}')] })).toBe(
      '{"success":1,"data":[{"a":1.0e+17}]}',
    );
  });

  test('refuses what has no JSON', () => {
    for (const value of [undefined, () => 1, new InvalidText(), Symbol('x')]) {
      expect(() => phpJsonEncode(value)).toThrow(TypeError);
    }
    expect(() => phpJsonEncode(Number.POSITIVE_INFINITY)).toThrow(RangeError);
  });
});

describe('JSON decoded and encoded again', () => {
  // Each of these is what PHP itself answered.
  test.each([
    ['{}', '[]'],
    ['{"a":{},"b":[]}', '{"a":[],"b":[]}'],
    ['{"0":1,"1":2}', '[1,2]'],
    ['{"1":1,"0":2}', '{"1":1,"0":2}'],
    ['{"0":1,"01":2}', '{"0":1,"01":2}'],
    ['{"b":1,"2":2,"1":3}', '{"b":1,"2":2,"1":3}'],
    ['{"a":1,"b":2,"a":3}', '{"a":3,"b":2}'],
    ['{"__proto__":{"x":1},"":0}', '{"__proto__":{"x":1},"":0}'],
    ['{"a":"x\\/y","b":"é"}', '{"a":"x\\/y","b":"\\u00e9"}'],
    ['[1.0,1e2,-0.0,-0,0.1,1.50]', '[1,100,-0,0,0.1,1.5]'],
    ['[1e16,1e17,123456789012345680.0,1.5e300]', '[10000000000000000,1.0e+17,1.2345678901234568e+17,1.5e+300]'],
    ['[0.0001,0.00001,-1.5e-7,4.9e-324]', '[0.0001,1.0e-5,-1.5e-7,5.0e-324]'],
    ['[9007199254740993,9223372036854775807]', '[9007199254740993,9223372036854775807]'],
    ['[9223372036854775808,-9223372036854775809]', '[9.223372036854776e+18,-9.223372036854776e+18]'],
    ['[-9223372036854775808,123456789012345678901]', '[-9223372036854775808,1.2345678901234568e+20]'],
    [' [ true , false , null ] \n', '[true,false,null]'],
  ])('%s', (json, expected) => {
    expect(phpRecode(json)).toBe(expected);
  });

  test('keeps every value of JavaScript', () => {
    const value = fc.jsonValue({ maxDepth: 4 }).filter((sample) => !JSON.stringify(sample).includes('{'));
    fc.assert(
      fc.property(value, (sample) => {
        const json = JSON.stringify(sample);
        expect(JSON.parse(phpRecode(json))).toEqual(JSON.parse(json));
      }),
    );
  });

  test('takes 64-bit integers as they are', () => {
    const integer = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
    fc.assert(fc.property(integer, (sample) => phpRecode(String(sample)) === String(sample)));
  });

  test('accepts exactly the texts that JSON.parse accepts', () => {
    const token = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"a"',
      '"',
      '1',
      '-',
      '01',
      '.5',
      'e1',
      'true',
      'nul',
      ' ',
      '\\',
    );
    const accepts = (read: (text: string) => unknown, text: string) => {
      try {
        read(text);
        return true;
      } catch (error) {
        expect(error).toBeInstanceOf(SyntaxError);
        return false;
      }
    };
    fc.assert(
      fc.property(fc.array(token, { maxLength: 12 }), (tokens) => {
        const text = tokens.join('');
        return accepts(parseJsonForPhp, text) === accepts(JSON.parse, text);
      }),
      { numRuns: 2000 },
    );
  });

  test('refuses what json_decode refuses', () => {
    for (const json of [
      '',
      'TRUE',
      "'a'",
      '"\\ud800"',
      '"\\udc00x"',
      '"\n"',
      '[1,]',
      '{"a":1}x',
      '"open',
      '[',
      '"\\',
    ]) {
      expect(() => parseJsonForPhp(json)).toThrow(SyntaxError);
    }
    expect(phpRecode(`${'['.repeat(511)}${']'.repeat(511)}`)).toHaveLength(1022);
    expect(() => parseJsonForPhp(`${'['.repeat(512)}${']'.repeat(512)}`)).toThrow('more than 511 levels');
  });

  test('fails where a number is too large for a float', () => {
    expect(() => phpRecode('[1e400]')).toThrow(RangeError);
  });
});

test('an object remembers the text that it was read from', () => {
  const outer = parseJsonForPhp('{"data": { "b":1.0,  "a":{} } }') as JsonObject;
  expect((outer.get('data') as JsonObject).source).toBe('{ "b":1.0,  "a":{} }');
});
