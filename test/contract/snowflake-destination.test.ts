import { datastoreDestination } from '#connectors/datastore/destination.ts';
import { openSnowflakeLab } from '../support/snowflake-lab.ts';
import { destinationSuite } from './destination.suite.ts';

destinationSuite('datastore on Snowflake', async () => {
  const lab = await openSnowflakeLab();
  return {
    connector: datastoreDestination,
    config: {},
    context: lab.context(),
    read: (table) => lab.read(table),
    staged: () => lab.staged(),
    [Symbol.asyncDispose]: () => lab[Symbol.asyncDispose](),
  };
});
