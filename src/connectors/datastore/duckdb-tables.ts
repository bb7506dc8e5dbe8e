import type { DuckDbWarehouse } from '#warehouse/duckdb.ts';
import type { EngineTables } from './engine-tables.ts';
import { prepareStaging } from './staging.ts';
import { openTableWriter } from './table-writer.ts';

/** Tables of an embedded DuckDB: rows and markers in its own file. */
export function duckDbTables(duckDb: DuckDbWarehouse): EngineTables {
  return {
    title: 'DuckDB',
    // Its file is this process's own: whoever can read it can write it.
    async check() {},
    async open({ datastore, schema }) {
      await prepareStaging(duckDb);
      return {
        stream: (origin, selection) => openTableWriter({ datastore, duckDb, schema, origin, selection }),
        // The datastore belongs to the project and stays open.
        async [Symbol.asyncDispose]() {},
      };
    },
  };
}
