import type { DescribedTable, TableName } from './warehouse.ts';

/** What lies under a name; the text of a view where the viewer may see it. */
export interface Found {
  table: TableName;
  kind: DescribedTable['kind'];
  view: string | null;
}

/** How the tables and views behind a SELECT are found where an engine does not say it. */
export interface Finding {
  /** The names, each with one to three parts, that the text of a view reads. */
  readsOf: (text: string) => string[][];
  /** Those of the names under which something lies. */
  find: (names: TableName[]) => Promise<Found[]>;
  /** Fails for what may not be read. */
  refuse: (name: TableName) => void;
}

/** The tables and views that these names are of, looked for in `home`, and what the views among them read. */
export async function readsBehind(
  named: readonly string[][],
  home: Pick<TableName, 'database' | 'schema'>,
  { readsOf, find, refuse }: Finding,
): Promise<TableName[]> {
  const reads = new Map<string, TableName>();
  let next = named.map((parts) => tableOf(parts, home));
  while (next.length > 0) {
    next.forEach(refuse);
    const found = await find(next);
    next = [];
    for (const { table, view } of found) {
      const key = keyOf(table);
      if (reads.has(key)) continue;
      reads.set(key, table);
      // In the text of a view, names are taken for those of its own schema.
      if (view !== null) next.push(...readsOf(view).map((parts) => tableOf(parts, table)));
    }
    next = next.filter((table) => !reads.has(keyOf(table)));
  }
  return [...reads.values()];
}

function keyOf({ database, schema, name }: TableName): string {
  return JSON.stringify([database, schema, name]);
}

/** The whole name of what may be named by its last parts. */
function tableOf(parts: readonly string[], home: Pick<TableName, 'database' | 'schema'>): TableName {
  const [name = '', schema = home.schema, database = home.database] = parts.toReversed();
  return { database, schema, name };
}
