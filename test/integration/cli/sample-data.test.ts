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

async function seed(events: number): Promise<Record<string, unknown>> {
  await using database = await createEmptyDatabase();
  const client = new Client({ connectionString: database.url });
  await client.connect();
  for (const { sql } of sampleSteps(events)) await client.query(sql);
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

test('the sample database holds the same rows whenever it is made, however many events follow', async () => {
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
