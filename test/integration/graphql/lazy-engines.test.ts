import { createRequire } from 'node:module';
import { expect, test } from 'vitest';
import { openSnowflake } from '#warehouse/snowflake.ts';
import { openTestGraphql } from '../../support/graphql.ts';

/** Modules of a package that this process has loaded, by require or by import. */
const loadedOf = (name: string) =>
  Object.keys(createRequire(import.meta.url).cache).filter((path) => path.includes(`/node_modules/${name}/`));

test('the clients of clouds are loaded when the first statement needs them, and not with the gateway', async () => {
  await using gql = await openTestGraphql({ workers: 1 });
  await gql.ask(await gql.signUp('ada'), '{ datastores { nodes { name schemas { schema } } } }');
  for (const name of ['snowflake-sdk', '@google-cloud/bigquery', '@databricks/sql']) {
    expect(loadedOf(name), name).toEqual([]);
  }
  const names = { account: 'org-test', username: 'u', password: 'p', warehouse: 'W', database: 'D' };
  await using warehouse = openSnowflake({ ...names, url: 'http://127.0.0.1:1' });
  expect(loadedOf('snowflake-sdk')).toEqual([]);
  await expect(warehouse.run({ sql: 'SELECT 1' }, { deadlineMs: 60_000 })).rejects.toThrow();
  expect(loadedOf('snowflake-sdk').length).toBeGreaterThan(0);
});
