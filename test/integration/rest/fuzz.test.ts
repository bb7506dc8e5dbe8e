import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Declaration } from '#endpoints/declaration.ts';
import { fuzz, fuzzRequests, type OpenApi, openJudge, type Seen } from '../../support/api-fuzz.ts';
import { type EndpointLab, type LabStore, labStores, openEndpointLab } from '../../support/endpoint-lab.ts';
import { publish } from '../../support/endpoints.ts';

/*
 * FUZZ_REQUESTS=20000 FUZZ_SEED=1 npx vitest run --project integration test/integration/rest/fuzz.test.ts
 * A failure says its seed, and the request that it shrank to.
 */
const requests = Number(process.env['FUZZ_REQUESTS'] ?? 400);
const seed = Number(process.env['FUZZ_SEED'] ?? 20_261_121);
const atOnce = 8;

let lab: EndpointLab;
beforeAll(async () => {
  lab = await openEndpointLab();
  for (const store of labStores) {
    for (const declaration of [search(store), odd(store), open(store)]) {
      await publish(lab.gql, lab.viewer, declaration);
    }
  }
  await publish(lab.gql, lab.viewer, rare());
});
afterAll(() => lab[Symbol.asyncDispose]());

/** Parameters of every type, in pages. */
function search(datastore: LabStore): Declaration {
  return {
    metadata: { name: `search_${datastore}`, version: 1 },
    route: `/search/${datastore}`,
    datastore,
    query: `SELECT id, name, score, active, day, moment, uid, CAST(score AS DECIMAL(12, 2)) AS spent FROM raw.users
      WHERE (:text IS NULL OR name = :text) AND id >= :low AND (:fraction IS NULL OR score < :fraction)
        AND (:flag IS NULL OR active = :flag) AND (:since IS NULL OR day >= :since) AND (:upto IS NULL OR moment < :upto)
        AND (:uid IS NULL OR uid = :uid) AND (:code IS NULL OR name <> :code) AND (:kind IS NULL OR name <> :kind)
        AND id NOT IN (:without) AND name NOT IN (:names) AND score NOT IN (:ratios)`,
    params: [
      { name: 'text', type: 'string', maxLength: 50 },
      { name: 'low', type: 'integer', default: 0, minimum: -1_000, maximum: 1_000 },
      { name: 'fraction', type: 'number' },
      { name: 'flag', type: 'boolean' },
      { name: 'since', type: 'date' },
      { name: 'upto', type: 'datetime' },
      { name: 'uid', type: 'uuid' },
      { name: 'code', type: 'string', pattern: '[a-z]{2,5}-\\d+', maxLength: 200 },
      { name: 'kind', type: 'string', enum: ['free', 'team', 'a b', ''] },
      { name: 'without', type: 'integer', list: true, maxItems: 4 },
      { name: 'names', type: 'string', list: true },
      { name: 'ratios', type: 'number', list: true },
    ],
    pagination: { key: ['id'], pageSize: 5, pageSizeMax: 30 },
  };
}

/** Values that JSON has no word for, without pages. */
function odd(datastore: LabStore): Declaration {
  const own =
    datastore === 'hot'
      ? `'{"a": [1, null]}'::jsonb AS json, ARRAY[1, NULL, 3] AS list, '\\x00ff'::bytea AS bytes, INTERVAL '1 day' AS span, numrange(1, 2) AS span_of`
      : `CAST('{"a": [1, null]}' AS JSON) AS json, [1, NULL, 3] AS list, CAST('ab' AS BLOB) AS bytes, INTERVAL 1 DAY AS span, {'a': 1, 'b': [2]} AS struct, MAP {'k': 1} AS map, sum(id) OVER () AS wide`;
  return {
    metadata: { name: `odd_${datastore}`, version: 1 },
    route: `/odd/${datastore}`,
    datastore,
    query: `SELECT id, 9223372036854775807 AS big, CAST('NaN' AS double precision) AS nan, CAST('-Infinity' AS double precision) AS low,
        CAST(0.1 AS DECIMAL(38, 20)) AS exact, NULL AS nothing, TIME '12:34:56' AS clock, TIMESTAMP '2026-01-01 00:00:00' AS local,
        '"quoted", and' || name AS "the ""name""", CAST(:much AS integer) AS much, ${own.replaceAll('\\x', 'x').replace("'x00ff'::bytea", "decode('00ff', 'hex')")}
      FROM raw.users WHERE id < :below`,
    params: [
      { name: 'below', type: 'integer', required: true, minimum: 0, maximum: 30 },
      { name: 'much', type: 'integer', default: 1, minimum: 0, maximum: 2_147_483_647 },
    ],
  };
}

function open(datastore: LabStore): Declaration {
  return {
    metadata: { name: `open_${datastore}`, version: 2 },
    route: `/open/${datastore}`,
    datastore,
    auth: { public: true },
    cache: { ttl: '1m', staleWhileRevalidate: '5s' },
    query: 'SELECT day, name FROM raw.users WHERE id < 100 AND day >= :day',
    params: [{ name: 'day', type: 'date', default: '2026-01-01' }],
    pagination: { key: ['day', 'name'] },
  };
}

function rare(): Declaration {
  return {
    metadata: { name: 'error', version: 1 },
    route: '/rare',
    rateLimit: { requests: 200, per: '1d' },
    query: 'SELECT 1 AS constructor',
  };
}

test(
  `${requests} requests made of the OpenAPI document find no 500, and every answer is as it says`,
  { timeout: 60_000 + requests * 100 },
  async () => {
    const { text } = await lab.call('openapi.json');
    const document = JSON.parse(text) as OpenApi;
    const seen: Seen = { cursors: [], etags: [] };
    const judge = openJudge(document, seen);
    const some = fc.array(fuzzRequests(document, seen), { minLength: atOnce, maxLength: atOnce });
    await fc.assert(
      fc.asyncProperty(some, (all) => fuzz(lab, judge, all)),
      { seed, numRuns: Math.ceil(requests / atOnce), endOnFailure: false },
    );
    expect(seen.cursors.length).toBeGreaterThan(0);
  },
);
