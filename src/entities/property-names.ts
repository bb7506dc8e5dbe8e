import { propertyNames } from '#catalog/mappings.ts';
import type { EntityKind } from '#generated/prisma/enums.ts';
import { dialectOf } from '#warehouse/dialects.ts';
import { nameSql, rawSql, sql, tableSql } from '#warehouse/sql.ts';
import { ask, type EntityReads, openEntities } from './read-entities.ts';

const rowsRead = 10_000;
const namesMax = 1_000;

/** The names of an entity's properties: those of the mapping, or those in the first 10,000 rows of its JSON column. */
export async function readPropertyNames(reads: EntityReads, kind: EntityKind): Promise<string[]> {
  const { mapping, source } = openEntities(reads, kind);
  const known = propertyNames(mapping);
  if (known !== null || mapping.propertiesColumn === null) return [...(known ?? [])];
  const column = nameSql(mapping.propertiesColumn);
  const some = sql`(SELECT ${column} FROM ${tableSql(mapping.table)} LIMIT ${rawSql(String(rowsRead))}) AS ${nameSql('some')}`;
  const names = dialectOf(mapping.table.datastore.engine).jsonNames(column, some);
  const question = sql`SELECT ${nameSql('item')} FROM ${names} AS ${nameSql('names')} ORDER BY 1 LIMIT ${rawSql(String(namesMax))}`;
  const { rows } = await ask(reads, source, question, namesMax);
  return rows.map(([name]) => name as string);
}
