import { expect, test } from 'vitest';
import { isPlainText, jsonOfValue, jsonTextOf } from '#base/json-value.ts';
import { jsonBytes } from '#warehouse/json-bytes.ts';

const characters = Array.from({ length: 0x180 }, (_, code) => String.fromCharCode(code));
const texts = [
  '',
  'user 7',
  ...characters,
  ...characters.map((character) => `a${character}b`),
  '\u{1f600}',
  '\ud800',
  '\u2028',
];
const values = [
  null,
  undefined,
  true,
  false,
  0,
  -0,
  1.5,
  1e21,
  NaN,
  -Infinity,
  7n,
  -9007199254740993n,
  [1n, 'a"', null],
  { a: 1n, b: { c: 'x' } },
  new Date(0),
  new Uint8Array([1, 2, 255]),
];

test('the text of a value is that of JSON.stringify, whatever the value', () => {
  for (const value of [...texts, ...values]) {
    expect(jsonTextOf(value)).toBe(JSON.stringify(jsonOfValue(value)) ?? 'null');
  }
});

test('a plain text is one that JSON writes as it is, a byte a character; no other counts fewer bytes than it takes', () => {
  for (const text of texts) {
    const json = JSON.stringify(text);
    if (isPlainText(text)) expect([json, Buffer.byteLength(json)]).toEqual([`"${text}"`, text.length + 2]);
    expect(jsonBytes(text)).toBe(Buffer.byteLength(json) + 1);
  }
  expect(texts.filter(isPlainText).length).toBeGreaterThan(180);
});
