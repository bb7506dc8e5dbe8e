import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { getOperationAST, parse } from 'graphql';
import { expect, test } from 'vitest';
import { docBlocks } from '../support/doc-blocks.ts';
import { type Data, openTestGraphql, type Variables } from '../support/graphql.ts';

/** The answer that the page shows: "…" stands for what differs each time. */
function shown(json: string): unknown {
  return JSON.parse(json, (_key, value: unknown) => (value === '…' ? expect.any(String) : value));
}

/** The ids in an answer, by the name of what has them: what the reader puts into the variables. */
function idsIn(value: unknown, ids: Variables): void {
  if (typeof value !== 'object' || value === null) return;
  for (const [name, each] of Object.entries(value)) {
    if (each !== null && typeof each === 'object' && 'id' in each) ids[name] = each.id;
    idsIn(each, ids);
  }
}

test('docs/first-metric.md leads from its CSV files to the series that it shows, step by step', async () => {
  await using gql = await openTestGraphql({ workers: 1 });
  const ada = await gql.signUp('ada');
  const ids: Variables = {};
  let answer: Data;
  let compared = 0;
  for (const { language, text, before } of await docBlocks('first-metric.md')) {
    if (language === 'csv') {
      const path = join(gql.filesRoot, before.replaceAll('`', '').replace(/^data\//, ''));
      await mkdir(join(path, '..'), { recursive: true });
      await writeFile(path, text);
    }
    if (language === 'graphql') {
      if (getOperationAST(parse(text))?.operation === 'subscription') {
        for await (const { data } of gql.follow(ada, text, ids)) answer = data;
      } else {
        answer = await gql.ask(ada, text, ids);
      }
      idsIn(answer, ids);
    }
    if (language === 'json') {
      expect(answer).toEqual(shown(text));
      compared += 1;
    }
  }
  expect(compared).toBe(9);
});
