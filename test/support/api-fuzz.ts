import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import fc, { type Arbitrary } from 'fast-check';
import type { EndpointLab, LabAnswer } from './endpoint-lab.ts';

/*
 * Requests made of nothing but an OpenAPI document, and the judgement of their answers by it: the status is one that the
 * operation documents, the body is valid by its schema, and what the document calls valid is answered.
 */

interface Schema {
  type?: string;
  enum?: unknown[];
  format?: string;
  pattern?: string;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  maxItems?: number;
  items?: Schema;
}

interface Param {
  name: string;
  required: boolean;
  schema: Schema;
}

interface Operation {
  parameters: Param[];
  security: unknown[];
  responses: Record<string, { $ref?: string; content?: Record<string, unknown> }>;
}

export interface OpenApi {
  paths: Record<string, { get: Operation }>;
  components: { responses: Record<string, { content: Record<string, unknown> }> };
}

/** A request, and whether the document says that it is answered with rows. */
export interface FuzzRequest {
  path: string;
  method: string;
  query: string;
  headers: Record<string, string>;
  isValid: boolean;
}

/** Cursors and tags that answers gave, for later requests to come back with. */
export interface Seen {
  cursors: string[];
  etags: string[];
}

interface Values {
  texts: readonly string[];
  isValid: boolean;
}

const wild = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({ unit: 'grapheme', maxLength: 40 }),
  fc.constantFrom(
    '',
    ' ',
    '0',
    '-0',
    'null',
    '[]',
    '{}',
    '\0',
    "'",
    '%',
    '1e999',
    '0x10',
    '\ufeff',
    '2026-02-30',
    '__proto__',
  ),
  fc.double().map(String),
  fc.bigInt().map(String),
  fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
);

/** Values that the schema calls valid, as text. */
function validOf(schema: Schema): Arbitrary<string> {
  if (schema.enum) return fc.constantFrom(...schema.enum.map(String));
  const { minimum, maximum, minLength = 0, maxLength = 100 } = schema;
  switch (schema.type) {
    case 'integer': {
      const bounds = {
        min: BigInt(Math.ceil(minimum ?? -(2 ** 53))),
        max: BigInt(Math.floor(maximum ?? 2 ** 53)),
      };
      return fc.bigInt(bounds).map(String);
    }
    case 'number':
      return fc
        .double({ noNaN: true, noDefaultInfinity: true, min: minimum ?? -1e300, max: maximum ?? 1e300 })
        .map(String);
    case 'boolean':
      return fc.constantFrom('true', 'false');
    default:
  }
  const date = fc.date({
    min: new Date('1900-01-01T00:00:00Z'),
    max: new Date('2100-01-01T00:00:00Z'),
    noInvalidDate: true,
  });
  if (schema.format === 'date') return date.map((each) => each.toISOString().slice(0, 10));
  if (schema.format === 'date-time') return date.map((each) => each.toISOString());
  if (schema.format === 'uuid') return fc.uuid();
  if (schema.pattern !== undefined) return fc.stringMatching(new RegExp(schema.pattern, 'u'));
  return fc
    .string({ unit: 'grapheme', minLength, maxLength: Math.min(maxLength, 60) })
    .filter((text) => !text.includes('\0') && isBetween(Array.from(text).length, minLength, maxLength));
}

function isBetween(count: number, least: number, most: number): boolean {
  return count >= least && count <= most;
}

/** A valid value with one thing wrong, or not: nothing is said of it. */
function nearOf(schema: Schema): Arbitrary<string> {
  const bent = [
    (text: string) => `${text} `,
    (text: string) => ` ${text}`,
    (text: string) => text.toUpperCase(),
    (text: string) => text.slice(1),
    (text: string) => `${text}0`,
    (text: string) => `${text}\u0000`,
    (text: string) => `-${text}`,
    (text: string) => text + text,
    () => String((schema.maximum ?? 9e18) + 1),
    () => String((schema.minimum ?? -9e18) - 1),
    () => 'x'.repeat((schema.maxLength ?? 1_000) + 1),
  ];
  return fc.tuple(validOf(schema), fc.constantFrom(...bent)).map(([text, bend]) => bend(text));
}

function valuesOf({ name, required, schema }: Param, seen: Seen): Arbitrary<Values> {
  const one = schema.items ?? schema;
  const isList = schema.items !== undefined;
  const left = { weight: required ? 1 : 5, arbitrary: fc.constant({ texts: [], isValid: !required }) };
  if (name === 'after' || name === 'before') {
    const known = fc.nat().map((index) => seen.cursors[index % Math.max(seen.cursors.length, 1)] ?? 'x');
    const cursor = fc.oneof(
      known,
      known.map((text) => text.slice(0, -2)),
      wild,
      fc.base64String(),
    );
    return fc.oneof(
      { ...left, weight: 12 },
      { weight: 1, arbitrary: cursor.map((text) => ({ texts: [text], isValid: false })) },
    );
  }
  const good = isList
    ? fc.array(validOf(one), { minLength: 1, maxLength: Math.min(schema.maxItems ?? 4, 4) })
    : validOf(one).map((text) => [text]);
  // Pages exclude each other in ways that no schema says.
  const isSaid = name !== 'last';
  const bad = fc.oneof(
    nearOf(one).map((text) => [text]),
    wild.map((text) => [text]),
    fc.array(fc.oneof(validOf(one), wild), { minLength: 2, maxLength: 3 }),
  );
  return fc.oneof(
    left,
    { weight: required ? 20 : 5, arbitrary: good.map((texts) => ({ texts, isValid: isSaid })) },
    { weight: 1, arbitrary: bad.map((texts) => ({ texts, isValid: false })) },
  );
}

const unknownParam = fc.record({
  name: fc.oneof(wild, fc.constantFrom('__proto__', 'constructor', 'FIRST', 'a[]', 'a[b]')),
  text: wild,
});

const formats = ['application/json', 'application/x-ndjson', 'text/csv', '*/*', 'text/*', 'application/*'];
const token = fc.stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,20}$/);
const plain = fc.stringMatching(/^[\x21-\x7e][\x20-\x7e]{0,40}$/);

function headersOf(seen: Seen): Arbitrary<{ headers: Record<string, string>; isValid: boolean }> {
  const weighed = fc.tuple(
    fc.constantFrom(...formats, 'text/html', 'constructor', '__proto__'),
    fc.constantFrom('', ';q=0', ';q=0.5', ';q=x', ';q=', ';charset=utf-8', '; q=1.0'),
  );
  const accept = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...formats).map((text) => ({ text, isValid: true })) },
    {
      weight: 2,
      arbitrary: fc
        .array(weighed, { minLength: 1, maxLength: 4 })
        .map((all) => ({ text: all.map((each) => each.join('')).join(','), isValid: false })),
    },
    { weight: 1, arbitrary: fc.oneof(plain, token).map((text) => ({ text, isValid: false })) },
  );
  const coding = fc.oneof(
    fc.constantFrom('gzip', 'br', 'br;q=0, gzip', 'identity', 'gzip;q=0', '*', 'zstd'),
    plain,
  );
  const etag = fc.oneof(
    fc.nat().map((index) => seen.etags[index % Math.max(seen.etags.length, 1)] ?? '"x"'),
    fc.constantFrom('*', 'W/"x"', '"', ','),
    plain,
  );
  return fc
    .record({ accept, 'accept-encoding': coding, 'if-none-match': etag }, { requiredKeys: [] })
    .map(({ accept: accepted, ...others }) => ({
      headers: { ...others, ...(accepted && { accept: accepted.text }) },
      isValid: accepted?.isValid ?? true,
    }));
}

const method = fc.oneof(
  { weight: 20, arbitrary: fc.constant('GET') },
  { weight: 2, arbitrary: fc.constant('HEAD') },
  { weight: 1, arbitrary: fc.constantFrom('OPTIONS', 'POST', 'PUT', 'PATCH', 'DELETE', 'PROPFIND') },
);

/** Requests of the operations of a document: valid, nearly valid and wild ones. */
export function fuzzRequests(document: OpenApi, seen: Seen): Arbitrary<FuzzRequest> {
  const operations = Object.entries(document.paths).map(([path, { get }]) => {
    const params = get.parameters.map((param) =>
      valuesOf(param, seen).map((values) => ({ name: param.name, ...values })),
    );
    const unknown = fc.oneof(
      { weight: 20, arbitrary: fc.constant([]) },
      {
        weight: 1,
        arbitrary: unknownParam.map(({ name, text }) => [{ name, texts: [text], isValid: false }]),
      },
    );
    return fc
      .record({ given: fc.tuple(fc.tuple(...params), unknown), headers: headersOf(seen), method })
      .map((each): FuzzRequest => {
        const given = each.given.flat();
        const pairs = given.flatMap(({ name, texts }) =>
          texts.map(
            (text) => `${encodeURIComponent(name.toWellFormed())}=${encodeURIComponent(text.toWellFormed())}`,
          ),
        );
        return {
          path,
          method: each.method,
          query: pairs.join('&'),
          headers: each.headers.headers,
          isValid: each.headers.isValid && given.every(({ isValid }) => isValid),
        };
      });
  });
  return fc.oneof(...operations);
}

/** Judges answers by the document; every complaint names the request. */
export function openJudge(document: OpenApi, seen: Seen): (request: FuzzRequest, answer: LabAnswer) => void {
  const ajv = new Ajv2020({ strict: false, allErrors: false });
  addFormats.default(ajv);
  ajv.addSchema(document, 'api');
  const check = (pointer: string, value: unknown, said: string) => {
    const validate = ajv.getSchema(`api#${pointer}`);
    if (!validate) throw new Error(`${said}: the document has no ${pointer}`);
    if (validate(value) !== true)
      throw new Error(`${said}: not valid by ${pointer}: ${ajv.errorsText(validate.errors)}`);
  };
  return (request, answer) => {
    const { status, headers } = answer;
    const text = textOf(answer);
    const said = `${request.method} ${request.path}?${request.query} ${JSON.stringify(request.headers)} → ${status} ${text.slice(0, 500)}`;
    const place = `/paths/${escaped(request.path)}/get`;
    const operation = document.paths[request.path]!.get;
    if (status === 500) throw new Error(said);
    if (request.method === 'OPTIONS') return expectStatus([204], status, said);
    if (request.method !== 'GET' && request.method !== 'HEAD') return expectStatus([405], status, said);
    const response = operation.responses[status];
    if (!response) throw new Error(`${said}: a status that is not documented`);
    if (request.isValid) expectStatus([200, 304, ...(operation.responses['429'] ? [429] : [])], status, said);
    if (request.method === 'HEAD' || status === 304) {
      if (text !== '') throw new Error(`${said}: there is a body`);
      return undefined;
    }
    const type = String(headers['content-type']).split(';')[0]!;
    const where = response.$ref ? response.$ref.slice(1) : `${place}/responses/${status}`;
    const pointer = `${where}/content/${escaped(type)}/schema`;
    if (type === 'application/json') {
      const body: unknown = JSON.parse(text);
      check(pointer, body, said);
      if (status === 200) remember(seen, body, headers['etag']);
      return undefined;
    }
    const row = `${place}/responses/200/content/application~1json/schema/properties/data/items`;
    if (type === 'application/x-ndjson') {
      for (const line of text.split('\n').filter((each) => each !== '')) check(row, JSON.parse(line), said);
    } else {
      check(pointer, text, said);
    }
    return undefined;
  };
}

/** Sends the requests at once, and judges each. */
export async function fuzz(
  lab: EndpointLab,
  judge: (request: FuzzRequest, answer: LabAnswer) => void,
  requests: readonly FuzzRequest[],
): Promise<void> {
  const answers = await Promise.all(
    requests.map(({ path, query, headers, method: verb }) =>
      lab.call(`${path.slice(1)}?${query}`, headers, verb),
    ),
  );
  for (const [index, answer] of answers.entries()) judge(requests[index]!, answer);
}

function textOf({ headers, bytes }: LabAnswer): string {
  if (bytes.length === 0) return '';
  const coding = headers['content-encoding'];
  if (coding === 'br') return brotliDecompressSync(bytes).toString('utf8');
  return (coding === 'gzip' ? gunzipSync(bytes) : bytes).toString('utf8');
}

function remember(seen: Seen, body: unknown, etag: unknown): void {
  const { paging } = body as { paging: { after: string | null; before: string | null } };
  for (const cursor of [paging.after, paging.before]) if (cursor !== null) seen.cursors.push(cursor);
  if (typeof etag === 'string') seen.etags.push(etag);
  // The newest few are enough.
  seen.cursors.splice(0, seen.cursors.length - 50);
  seen.etags.splice(0, seen.etags.length - 50);
}

function expectStatus(allowed: readonly number[], status: number, said: string): undefined {
  if (!allowed.includes(status)) throw new Error(`${said}: ${allowed.join(' or ')} was to be expected`);
}

/** RFC 6901. */
function escaped(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}
