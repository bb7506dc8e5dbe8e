import { afterAll, beforeAll } from 'vitest';
import { datastoreDestination } from '#connectors/datastore/destination.ts';
import { openSnowflakeLab, type SnowflakeLab } from '../support/snowflake-lab.ts';
import { destinationSuite } from './destination.suite.ts';

const opened: { lab?: SnowflakeLab } = {};
beforeAll(async () => {
  opened.lab = await openSnowflakeLab();
});
afterAll(() => opened.lab?.[Symbol.asyncDispose]());

destinationSuite('datastore on Snowflake', async () => {
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
