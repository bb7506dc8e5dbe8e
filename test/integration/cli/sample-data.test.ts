import { createHash } from 'node:crypto';
import { mkdtemp, readFile, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { Client } from 'pg';
import { expect, test } from 'vitest';
import { prepareSampleFiles } from '#cli/demo/sample-files.ts';
import { sampleSteps } from '#cli/demo/sample-sql.ts';
import { createEmptyDatabase } from '../../support/database.ts';

const until = '2026-11-21';

async function seed(events: number): Promise<Record<string, unknown>> {
  await using database = await createEmptyDatabase();
  const client = new Client({ connectionString: database.url });
  await client.connect();
  for (const { sql } of sampleSteps({ events, until })) await client.query(sql);
  const digests: Record<string, unknown> = {};
  for (const table of ['organizations', 'users', 'orders', 'events']) {
    const { rows } = await client.query(
      `SELECT count(*)::int AS rows, md5(string_agg(t::text, ',' ORDER BY t::text COLLATE "C")) AS digest FROM ${table} AS t`,
    );
    digests[table] = rows[0];
  }
  await client.end();
  return digests;
}

test('the sample database holds the same rows wherever it is made for a day, however many events follow', async () => {
  const first = await seed(2_000);
  expect(first).toMatchObject({
    organizations: { rows: 200 },
    users: { rows: 5_000 },
    orders: { rows: 20_000 },
    events: { rows: 2_000 },
  });
  expect(await seed(2_000)).toEqual(first);
  const { events: _, ...others } = first;
  expect(await seed(100_001)).toMatchObject({ ...others, events: { rows: 100_001 } });
});

test('nobody in the sample database does anything before being there, or after its end, and each week has a year before', async () => {
  await using database = await createEmptyDatabase();
  const client = new Client({ connectionString: database.url });
  await client.connect();
  for (const { sql } of sampleSteps({ events: 5_000, until })) await client.query(sql);
  const { rows } = await client.query(`
    SELECT
      (SELECT count(*)::int FROM users u JOIN organizations o ON o.id = u.organization_id
        WHERE o.created_at > u.created_at) AS users_too_early,
      (SELECT count(*)::int FROM orders r JOIN users u ON u.id = r.user_id
        WHERE u.created_at > r.ordered_at) AS orders_too_early,
      (SELECT count(*)::int FROM events e JOIN users u ON u.id = e.user_id
        WHERE u.created_at > e.at OR u.organization_id <> e.organization_id) AS events_too_early,
      (SELECT count(*)::int FROM events e JOIN events f ON f.id = e.id + 1 WHERE f.at < e.at) AS out_of_order,
      (SELECT max(at) < timestamptz '${until} 00:00Z' AND max(at) > timestamptz '${until} 00:00Z' - interval '2 days'
        FROM events) AS ends_there,
      (SELECT count(DISTINCT date_trunc('week', at, 'UTC'))::int FROM events
        WHERE at >= timestamptz '${until} 00:00Z' - interval '65 weeks') AS weeks`);
  await client.end();
  expect(rows[0]).toEqual({
    users_too_early: 0,
    orders_too_early: 0,
    events_too_early: 0,
    out_of_order: 0,
    ends_there: true,
    weeks: 66,
  });
});

test('the sample files are the same whenever they are made, and stay as they are when made again', async () => {
  const roots = await Promise.all([1, 2].map(() => mkdtemp(join(tmpdir(), 'sluice-sample-'))));
  try {
    for (const root of roots) await prepareSampleFiles(root);
    const names = ['products.csv', 'exchange_rates.csv.gz', 'web_visits/2026-08.parquet'];
    const digest = async (root: string, name: string) => {
      const bytes = await readFile(join(root, 'demo', name));
      return createHash('sha256')
        .update(name.endsWith('.gz') ? gunzipSync(bytes) : bytes)
        .digest('hex');
    };
    for (const name of names) expect(await digest(roots[0]!, name)).toBe(await digest(roots[1]!, name));
    const before = await stat(join(roots[0]!, 'demo', names[2]!));
    await prepareSampleFiles(roots[0]!);
    expect((await stat(join(roots[0]!, 'demo', names[2]!))).mtimeMs).toBe(before.mtimeMs);
    const left = await readdir(join(roots[0]!, 'demo'), { recursive: true });
    expect(left.filter((name) => name.endsWith('.draft'))).toEqual([]);
  } finally {
    for (const root of roots) await rm(root, { recursive: true });
  }
});
