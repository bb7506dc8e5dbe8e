import { type Mappings, propertyNames } from '#catalog/mappings.ts';
import type { EntityKind } from '#generated/prisma/enums.ts';
import { jsonTypeOf } from '#catalog/row-source.ts';
import { nameSql, rawSql, sql, tableSql } from '#warehouse/sql.ts';
import { type EntityQuestion, openEntities } from './entity-questions.ts';
import { ask, type EntityReads } from './read-entities.ts';

const rowsRead = 10_000;
const namesMax = 1_000;

/** The names of an entity's properties: those of the mapping, or those in the first 10,000 rows of its JSON column. */
export async function readPropertyNames(reads: EntityReads, kind: EntityKind): Promise<string[]> {
  const { mapping } = openEntities(reads.mappings, kind);
  const known = propertyNames(mapping);
  if (known !== null || mapping.propertiesColumn === null) return [...(known ?? [])];
  const { rows } = await ask(reads, namesQuestion(reads.mappings, kind, mapping.propertiesColumn));
  return rows.map(([name]) => name as string);
}

/** The names in a JSON column of an entity's table, in order. */
export function namesQuestion(mappings: Mappings, kind: EntityKind, jsonColumn: string): EntityQuestion {
  const { mapping, source } = openEntities(mappings, kind);
  const column = nameSql(jsonColumn);
  const some = sql`(SELECT ${column} FROM ${tableSql(mapping.table)} LIMIT ${rawSql(String(rowsRead))}) AS ${nameSql('some')}`;
  const names = source.dialect.jsonNames(column, some, jsonTypeOf(mapping, source.dialect));
  const select = sql`SELECT ${nameSql('item')} FROM ${names} AS ${nameSql('names')} ORDER BY 1 LIMIT ${rawSql(String(namesMax))}`;
  return { source, sql: select, most: namesMax };
}
