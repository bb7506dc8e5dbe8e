import { datastoreDestination } from '#connectors/datastore/destination.ts';
import { openDatabricksLab } from '../support/databricks-lab.ts';
import { destinationSuite } from './destination.suite.ts';

destinationSuite('datastore on Databricks', async () => {
  const lab = await openDatabricksLab();
  return {
    connector: datastoreDestination,
    config: {},
    context: lab.context(),
    read: (table) => lab.read(table),
    staged: () => lab.staged(),
    [Symbol.asyncDispose]: () => lab[Symbol.asyncDispose](),
  };
});
