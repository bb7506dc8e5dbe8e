import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';

/** Asks a project's embedded warehouse directly: its gateway must have ended, since one process opens the file. */
export async function askWarehouse(
  home: string,
  statements: string[],
  access_mode: 'READ_ONLY' | 'READ_WRITE' = 'READ_ONLY',
): Promise<string[]> {
  const [project] = await readdir(join(home, 'warehouses'));
  const instance = await DuckDBInstance.create(
    join(home, 'warehouses', project as string, 'warehouse.duckdb'),
    {
      access_mode,
    },
  );
  const connection = await instance.connect();
  try {
    const answers: string[] = [];
    for (const statement of statements) {
      const reader = await connection.runAndReadAll(statement);
      answers.push(JSON.stringify(reader.getRowsJson()));
    }
    return answers;
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}
