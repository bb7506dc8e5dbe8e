import { expect, test } from 'vitest';
import { askWarehouse } from '../support/ask-warehouse.ts';
import { eventually, type Gateway, signUp, startGateway, temporaryFolder } from '../support/gateway.ts';
import { readTask, untilEnded } from '../support/pipeline.ts';

const rows = 3_000_000;
const old = 'SELECT 7 AS id';
const long = `SELECT range AS id, md5(range::VARCHAR) AS digest FROM range(${rows})`;

async function upsert(gateway: Gateway, sql: string): Promise<string> {
  const { upsertTransformation } = await gateway.ask<{
    upsertTransformation: { transformation: { id: string } | null; userErrors: object[] };
  }>(
    `mutation ($sql: String!) { upsertTransformation(input: { name: "t", sql: $sql, target: { schema: "made", table: "t" } }) {
      transformation { id } userErrors { message } } }`,
    { sql },
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
  await untilEnded(gateway, await run(gateway, await upsert(gateway, old)));
  const task = await run(gateway, await upsert(gateway, long));
  await eventually('the SELECT to run', async () => {
    const { status, logs } = await readTask(gateway, task);
    if (status === 'SUCCEEDED') throw new Error('The SELECT was done before it could be killed.');
    return logs.nodes.some(({ message }) => message.startsWith('Reading')) || undefined;
  });
  await gateway.kill();
  expect(await askWarehouse(home.path, ['SELECT * FROM made.t'])).toEqual(['[[7]]']);

  gateway = await startGateway({ home: home.path, token });
  expect(await untilEnded(gateway, task)).toMatchObject({
    status: 'SUCCEEDED',
    attempt: 2,
    rowsWritten: rows,
    error: null,
  });
  await gateway.stop();
  expect(await askWarehouse(home.path, ['SELECT count(*), count(DISTINCT digest) FROM made.t'])).toEqual([
    `[["${rows}","${rows}"]]`,
  ]);
}, 120_000);
