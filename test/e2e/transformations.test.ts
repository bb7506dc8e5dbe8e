import { expect, test } from 'vitest';
import { askWarehouse } from '../support/ask-warehouse.ts';
import { eventually, type Gateway, signUp, startGateway, temporaryFolder } from '../support/gateway.ts';
import { readTask, untilEnded } from '../support/pipeline.ts';

const few = 'SELECT range AS id FROM range(4)';
const many = 'SELECT range AS id FROM range(100000)';
/** Would take days over many ids, and no time over few. */
const product = 'SELECT count(*) AS n FROM made.ids a, made.ids b, made.ids c, made.ids d WHERE a.id >= 0';

async function upsert(gateway: Gateway, name: string, sql: string): Promise<string> {
  const { upsertTransformation } = await gateway.ask<{
    upsertTransformation: { transformation: { id: string } | null; userErrors: object[] };
  }>(
    `mutation ($name: String!, $sql: String!) {
      upsertTransformation(input: { name: $name, sql: $sql, target: { schema: "made", table: $name } }) {
        transformation { id } userErrors { message } } }`,
    { name, sql },
  );
  expect(upsertTransformation.userErrors).toEqual([]);
  return upsertTransformation.transformation?.id ?? '';
}

async function run(gateway: Gateway, id: string): Promise<string> {
  const { runTransformation } = await gateway.ask<{ runTransformation: { task: { id: string } } }>(
    'mutation ($id: ID!) { runTransformation(input: { id: $id }) { task { id } userErrors { message } } }',
    { id },
  );
  return runTransformation.task.id;
}

test('a transformation killed in the middle leaves the old table, and after a restart makes the new one', async () => {
  await using home = await temporaryFolder();
  let gateway = await startGateway({ home: home.path });
  await signUp(gateway);
  const { token } = gateway;
  await untilEnded(gateway, await run(gateway, await upsert(gateway, 'ids', few)));
  const id = await upsert(gateway, 'product', product);
  await untilEnded(gateway, await run(gateway, id));
  await untilEnded(gateway, await run(gateway, await upsert(gateway, 'ids', many)));
  const task = await run(gateway, id);
  await eventually('the SELECT to run', async () => {
    const { logs } = await readTask(gateway, task);
    return logs.nodes.some(({ message }) => message.startsWith('Reading')) || undefined;
  });
  await gateway.kill();
  expect(await askWarehouse(home.path, ['SELECT n FROM made.product'])).toEqual(['[["256"]]']);
  const five = 'CREATE OR REPLACE TABLE made.ids AS SELECT range AS id FROM range(5)';
  await askWarehouse(home.path, [five], 'READ_WRITE');

  gateway = await startGateway({ home: home.path, token });
  expect(await untilEnded(gateway, task)).toMatchObject({
    status: 'SUCCEEDED',
    attempt: 2,
    rowsWritten: 1,
    error: null,
  });
  await gateway.stop();
  expect(await askWarehouse(home.path, ['SELECT n FROM made.product'])).toEqual(['[["625"]]']);
}, 120_000);
