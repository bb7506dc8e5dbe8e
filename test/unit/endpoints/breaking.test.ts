import { expect, test } from 'vitest';
import { breakingChanges } from '#endpoints/breaking.ts';
import type { Declaration, ParamDeclaration } from '#endpoints/declaration.ts';

const base: Declaration = {
  metadata: { name: 'a', version: 1 },
  route: '/a',
  query: 'SELECT 1',
  params: [{ name: 'p', type: 'string', enum: ['x', 'y'], default: 'x' }],
  limits: { rows: 100 },
};
const columns = [
  { name: 'id', type: 'integer' },
  { name: 'name', type: 'text' },
];
const changed = (after: Partial<Declaration>, before: Partial<Declaration> = {}) =>
  breakingChanges(
    { declaration: { ...base, ...before }, columns },
    { declaration: { ...base, ...after }, columns },
  );
const params = (...given: ParamDeclaration[]) => ({ params: given });
const p: ParamDeclaration = base.params![0]!;
const text: ParamDeclaration = { name: 'p', type: 'string' };

test.each<[string[], Partial<Declaration>, Partial<Declaration>?]>([
  [['its route is /b instead of /a'], { route: '/b' }],
  [['callers need the scope CONTROL_READ'], { auth: { scopes: ['DATA_READ', 'CONTROL_READ'] } }],
  [['callers have to sign in'], {}, { auth: { public: true } }],
  [['its rows come in pages'], { pagination: { key: ['id'] } }],
  [['its rows do not come in pages'], {}, { pagination: { key: ['id'] } }],
  [
    ['its pages are in the order of name'],
    { pagination: { key: ['name'] } },
    { pagination: { key: ['id'] } },
  ],
  [['an answer has 50 rows at most instead of 100'], { limits: { rows: 50 } }],
  [['the parameter "p" is gone'], params()],
  [['the parameter "p" is a list of string instead of string'], params({ ...p, list: true })],
  [['the parameter "p" has another default'], params({ ...p, default: 'y' })],
  [['the parameter "p" no longer takes y'], params({ ...p, enum: ['x'] })],
  [['the parameter "p" is a text in GraphQL'], params({ ...p, enum: ['x', 'y', 'a b'] })],
  [['the parameter "p" is a text in GraphQL'], params({ name: 'p', type: 'string', default: 'x' })],
  [['the parameter "p" takes x alone'], params({ ...text, enum: ['x'] }), params(text)],
  [['the parameter "p" is required'], params({ ...text, required: true }), params(text)],
  [['the parameter "p" must match a+'], params({ ...text, pattern: 'a+' }), params(text)],
  [['the parameter "p" has a lower maxLength'], params({ ...text, maxLength: 999 }), params(text)],
  [['the parameter "p" has a higher minLength'], params({ ...text, minLength: 1 }), params(text)],
  [['the new parameter "q" is required'], params(p, { name: 'q', type: 'string', required: true })],
])('%j breaks', (changes, after, before) => {
  expect(changed(after, before)).toEqual(changes);
});

test.each<[string, Partial<Declaration>, Partial<Declaration>?]>([
  ['a new parameter that may be left out', params(p, { name: 'q', type: 'string' })],
  ['one more value of an enum', params({ ...p, enum: ['x', 'y', 'z'] })],
  ['more rows', { limits: { rows: 101 } }],
  ['anybody may call', { auth: { public: true } }],
  ['fewer scopes', {}, { auth: { scopes: ['DATA_READ', 'CONTROL_READ'] } }],
  ['a parameter that is not required', params(text), params({ ...text, required: true })],
  ['a longer text', params({ ...text, maxLength: 1_001 }), params(text)],
  [
    'a cache, a rate, words',
    {
      cache: { ttl: '1s' },
      rateLimit: { requests: 1, per: '1s' },
      metadata: { ...base.metadata, owner: 'x' },
    },
  ],
])('%s breaks nothing', (_what, after, before) => {
  expect(changed(after, before)).toEqual([]);
});

test('columns may come, and not go or change their type', () => {
  const after = [
    { name: 'name', type: 'integer' },
    { name: 'more', type: 'text' },
  ];
  expect(breakingChanges({ declaration: base, columns }, { declaration: base, columns: after })).toEqual([
    'the column "id" is gone',
    'the column "name" is integer instead of text',
  ]);
});
