import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { lexicographicSortSchema, printSchema } from 'graphql';
import { schema } from './schema.ts';

/** The schema as schema.graphql holds it: sorted, with descriptions. */
export function printedSchema(): string {
  return `${printSchema(lexicographicSortSchema(schema))}\n`;
}

/** Run as a program it writes schema.graphql. */
if (import.meta.main) {
  await writeFile(join(import.meta.dirname, '..', '..', 'schema.graphql'), printedSchema());
}
