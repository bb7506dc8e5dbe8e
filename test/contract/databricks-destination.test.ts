import { afterAll, beforeAll } from 'vitest';
import { datastoreDestination } from '#connectors/datastore/destination.ts';
import { type DatabricksLab, openDatabricksLab } from '../support/databricks-lab.ts';
import { destinationSuite } from './destination.suite.ts';

const opened: { lab?: DatabricksLab } = {};
beforeAll(async () => {
  opened.lab = await openDatabricksLab();
});
afterAll(() => opened.lab?.[Symbol.asyncDispose]());

/** Without transactions over several tables, every publish replaces its target. */
destinationSuite('datastore on Databricks', async () => {
  const lab = opened.lab!;
  return {
    connector: datastoreDestination,
    config: {},
    context: lab.context(),
    read: (table) => lab.read(table),
    staged: () => lab.staged(),
    [Symbol.asyncDispose]: () => lab.empty(),
  };
});
