import { datastoreDestination } from '#connectors/datastore/destination.ts';
import { openPostgresLab } from '../support/postgres-lab.ts';
import { destinationSuite } from './destination.suite.ts';

destinationSuite('datastore on PostgreSQL', async () => {
  const lab = await openPostgresLab();
  return {
    connector: datastoreDestination,
    config: {},
    context: lab.context(),
    read: (table) => lab.readTable(table),
    staged: () => lab.staged(),
    [Symbol.asyncDispose]: () => lab[Symbol.asyncDispose](),
  };
});
