import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type ConnectorContext, ConnectorError, type Part } from '#connectors/contract.ts';
import { DuckDbWarehouse } from '#warehouse/duckdb.ts';
import { joinSql, nameSql, sql, toStatement } from '#warehouse/sql.ts';
import { type Desk, type Found, newGeneration, orNothing, refuseKeys } from './compare-rows.ts';
import { keysSql, removedColumn } from './difference-sql.ts';
import { copySql, openFile } from './duckdb-moment.ts';
import type { OwnNames } from './own-tables.ts';
import type { SourceColumn } from './relations.ts';

/** All rows of a stream of which nothing is remembered, in a file that goes when it is disposed of. */
export interface FirstRows extends AsyncDisposable {
  found: Found;
  part: Part;
}

/**
 * Reads the first generation and all rows at one moment, so that no row is written into a table of changes to be read again:
 * half of what a first run would take. Null where the engine cannot do both at one moment, or where reading twice costs more.
 */
export async function readFirst(
  desk: Desk,
  ask: { names: OwnNames; moved: readonly SourceColumn[]; context: ConnectorContext },
): Promise<FirstRows | null> {
  const { warehouse, compared, options } = desk;
  const { names, moved, context } = ask;
  if (!(warehouse instanceof DuckDbWarehouse) || !compared.relation.isQuickTwice) return null;
  const path = join(context.pipesDir, `rows-${randomUUID()}.parquet`);
  const remove = () => rm(path, { force: true });
  const columns = joinSql(compared.columns.map(({ name }) => nameSql(name)));
  const from = sql`(SELECT ${columns}, FALSE AS ${nameSql(removedColumn)} FROM ${compared.relation.from} AS n)`;
  const copy = copySql(warehouse, { from, where: null, columns: moved }, path);
  try {
    const rows = await orNothing(desk, names, async () => {
      const keys = toStatement(keysSql(compared), warehouse.dialect);
      const written = await warehouse.writeOwnWith(names.generation, keys, copy, options);
      await refuseKeys(desk, names.generation, false);
      return written;
    });
    const counts = { added: String(rows), changed: '0', removed: '0' };
    const part = {
      ...partOf(names.generation),
      open: () => openFile(path, moved),
    };
    const kept = newGeneration(compared, names.generation, rows);
    return { found: { changes: null, kept, counts }, part, [Symbol.asyncDispose]: remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** The same part in an attempt that finds it staged, and need not read it. */
export function stagedFirst(generation: string): Part {
  return {
    ...partOf(generation),
    open() {
      const message = 'What an earlier attempt of the task had staged is gone.';
      throw new ConnectorError('TRANSIENT', message, { fix: 'It is read again.' });
    },
  };
}

const partOf = (generation: string) => ({ id: generation, title: 'all rows' });
