import { expect, test } from 'vitest';
import { stagingSchema } from '#warehouse/duckdb-tables.ts';
import { nameSql, type Sql, sql, toStatement } from '#warehouse/sql.ts';
import type { WarehouseLab } from './warehouse.suite.ts';

/** What every engine guarantees of the tables that Sluice keeps there for itself. */
export function ownTables(labOf: () => Pick<WarehouseLab, 'warehouse' | 'numbers' | 'database'>): void {
  test('of its own lies in no catalog, is made anew in place of what was there, and goes when it is dropped', async () => {
    const { warehouse, numbers, database } = labOf();
    const statement = (of: Sql) => toStatement(of, warehouse.dialect);
    const own = nameSql(stagingSchema, 'suite_own');
    expect(await warehouse.ownTables()).not.toContain('suite_own');
    await warehouse.dropOwn('suite_own');
    expect(await warehouse.writeOwn('suite_own', { sql: numbers(1_000) })).toBe(1_000n);
    expect(await warehouse.ownTables()).toContain('suite_own');
    expect((await warehouse.run(statement(sql`SELECT count(*) AS c FROM ${own}`))).rows).toEqual([[1_000n]]);
    expect(await warehouse.writeOwn('suite_own', statement(sql`SELECT ${'x'} AS v FROM ${own}`))).toBe(
      1_000n,
    );
    expect(await warehouse.tables([{ database, schema: stagingSchema, name: 'suite_own' }])).toEqual([]);
    expect((await warehouse.tables()).filter(({ schema }) => schema === stagingSchema)).toEqual([]);
    expect((await warehouse.schemas()).filter(({ schema }) => schema === stagingSchema)).toEqual([]);
    await warehouse.dropOwn('suite_own');
    await warehouse.dropOwn('suite_own');
    expect(await warehouse.ownTables()).not.toContain('suite_own');
  });
}
