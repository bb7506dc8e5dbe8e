import { afterAll, beforeAll } from 'vitest';
import type { CloudLoader } from '#connectors/datastore/cloud-loader.ts';
import { cloudTables } from '#connectors/datastore/cloud-tables.ts';
import { datastoreDestination } from '#connectors/datastore/destination.ts';
import { snowflakeLoader } from '#connectors/datastore/snowflake-loader.ts';
import { openSnowflakeLab, type SnowflakeLab } from '../support/snowflake-lab.ts';
import { destinationSuite } from './destination.suite.ts';

const opened: { lab?: SnowflakeLab } = {};
beforeAll(async () => {
  opened.lab = await openSnowflakeLab();
});
afterAll(() => opened.lab?.[Symbol.asyncDispose]());

/** The same loader as an engine has it that knows no transactions over several tables. */
function withoutCommit(lab: SnowflakeLab): CloudLoader {
  const { commit: _commit, ...loader } = snowflakeLoader(lab.snowflake);
  return loader;
}

destinationSuite('datastore on an engine without transactions', async () => {
  const lab = opened.lab!;
  return {
    connector: {
      ...datastoreDestination,
      open: (_config, context) =>
        cloudTables(withoutCommit(lab)).open({ datastore: 'cloud', schema: 'raw' }, context),
    },
    config: {},
    context: lab.context(),
    read: (table) => lab.read(table),
    staged: () => lab.staged(),
    [Symbol.asyncDispose]: () => lab.empty(),
  };
});
