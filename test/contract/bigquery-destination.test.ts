import { afterAll, beforeAll } from 'vitest';
import { datastoreDestination } from '#connectors/datastore/destination.ts';
import { type BigQueryLab, openBigQueryLab } from '../support/bigquery-lab.ts';
import { destinationSuite } from './destination.suite.ts';

const opened: { lab?: BigQueryLab } = {};
beforeAll(async () => {
  opened.lab = await openBigQueryLab();
});
afterAll(() => opened.lab?.[Symbol.asyncDispose]());

destinationSuite('datastore on BigQuery', async () => {
  const lab = opened.lab!;
  return {
    connector: datastoreDestination,
    config: {},
    oneInteger: true,
    context: lab.context(),
    read: (table) => lab.read(table),
    staged: () => lab.staged(),
    async [Symbol.asyncDispose]() {
      for (const schema of ['raw', '_sluice']) {
        await lab.bigQuery.run({ sql: `DROP SCHEMA IF EXISTS ${schema} CASCADE` });
      }
    },
  };
});
