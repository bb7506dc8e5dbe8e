import { appendFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { docBlocks, runBlock } from '../support/doc-blocks.ts';
import { type Data, openTestGraphql, type Variables } from '../support/graphql.ts';

/** The answer that the page shows: "…" stands for what differs each time. */
function shown(json: string): unknown {
  return JSON.parse(json, (_key, value: unknown) => (value === '…' ? expect.any(String) : value));
}

test('docs/first-metric.md leads from its CSV files to the series that it shows, step by step', async () => {
  await using gql = await openTestGraphql({ workers: 1 });
  const ada = await gql.signUp('ada');
  const ids: Variables = {};
  let answer: Data;
  let compared = 0;
  const blocks = await docBlocks('first-metric.md');
  for (const { language, text, before } of blocks) {
    if (language === 'csv') {
      const path = join(gql.filesRoot, before.replaceAll('`', '').replace(/^data\//, ''));
      await mkdir(join(path, '..'), { recursive: true });
      await writeFile(path, text);
    }
    if (language === 'graphql') answer = await runBlock(gql, ada, text, ids);
    if (language === 'json') {
      expect(answer).toEqual(shown(text));
      compared += 1;
    }
  }
  expect(compared).toBe(9);

  // What the page's last words say.
  const more = '13,4,query_run,2026-11-02T10:00:00Z\n';
  await appendFile(join(gql.filesRoot, 'product', 'events.csv'), more);
  const { text: sync } = blocks.find(({ text }) => text.startsWith('mutation Sync'))!;
  const { text: watch } = blocks.find(({ text }) => text.startsWith('subscription Watch'))!;
  const { text: series } = blocks.find(({ text }) => text.startsWith('query Series'))!;
  expect((await runBlock(gql, ada, series, ids)).metric.series.cache).toBe('HIT');
  await runBlock(gql, ada, sync, ids);
  await runBlock(gql, ada, watch, ids);
  const { points, cache } = (await runBlock(gql, ada, series, ids)).metric.series;
  expect({ cache, value: points[0].value }).toEqual({ cache: 'MISS', value: 2 });
});
