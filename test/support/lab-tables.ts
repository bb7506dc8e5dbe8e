import type { Viewer } from '#accounts/viewer.ts';
import type { Dialect, ValueType } from '#warehouse/dialect.ts';
import { joinSql, nameSql, rawSql, sql, type Sql, toStatement } from '#warehouse/sql.ts';
import type { TestGraphql } from './graphql.ts';

/** A table, said in a way that any engine can be told. */
export interface LabTable {
  name: string;
  /** `money` is a decimal of ten digits, two of them behind the point. */
  columns: Record<string, ValueType | 'money'>;
  rows: readonly (readonly (string | number | bigint | boolean | null)[])[];
}

/** No value of a lab's tables is this text. */
const noValue = '(none)';

/** Where tables are made: in the default datastore when none is named. */
interface Place {
  datastore?: string;
  database: string;
  schema: string;
}

/** Makes the tables by the warehouse's own write, and lets the catalog find them. */
export async function makeTables(
  { app, ask }: TestGraphql,
  viewer: Viewer,
  { datastore, ...place }: Place,
  tables: readonly LabTable[],
): Promise<void> {
  const { warehouse } = await app.catalog.datastores.open(viewer.projectId, datastore);
  for (const table of tables) {
    const select = toStatement(selectOf(table, warehouse.dialect), warehouse.dialect);
    await warehouse.write({ ...place, name: table.name, kind: 'TABLE' }, select);
  }
  await ask(viewer, 'mutation { refreshCatalog(input: {}) { tables userErrors { message } } }');
}

/** Each column is one list of texts, which are then made what the column holds. */
function selectOf({ columns, rows }: LabTable, dialect: Dialect): Sql {
  const names = Object.keys(columns);
  const lists = names.map((name, at) => {
    const list = rows.map((row) => (row[at] === null ? noValue : String(row[at])));
    return { name: `t${at}`, type: 'text' as const, list };
  });
  const values = names.map((name, at) => {
    const text = sql`nullif(${nameSql(`t${at}`)}, ${dialect.cast(sql`${noValue}`, 'text')})`;
    return sql`${castTo(columns[name]!, text, dialect)} AS ${nameSql(name)}`;
  });
  return sql`SELECT ${joinSql(values)} FROM ${dialect.listsRows(lists)} AS ${nameSql('lists')}`;
}

function castTo(type: ValueType | 'money', text: Sql, dialect: Dialect): Sql {
  return type === 'money' ? sql`CAST(${text} AS ${rawSql('DECIMAL(10, 2)')})` : dialect.cast(text, type);
}
