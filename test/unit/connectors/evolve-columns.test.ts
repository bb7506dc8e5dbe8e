import { describe, expect, test } from 'vitest';
import { columnTypeOf, duckDbType, typeName } from '#connectors/column-type.ts';
import { ConnectorError, type StreamColumn } from '#connectors/contract.ts';
import { evolveColumns } from '#connectors/evolve-columns.ts';

function column(name: string, type: string, more: Partial<StreamColumn> = {}): StreamColumn {
  return { name, type: columnTypeOf(type), nullable: true, sourceType: '', ...more };
}

const asText = { asTextBecause: 'NaN has no decimal' };

const widens: [held: string, arrives: string, becomes: string, more?: Partial<StreamColumn>][] = [
  ['SMALLINT', 'SMALLINT', 'SMALLINT'],
  ['SMALLINT', 'INTEGER', 'INTEGER'],
  ['SMALLINT', 'BIGINT', 'BIGINT'],
  ['INTEGER', 'BIGINT', 'BIGINT'],
  ['BIGINT', 'SMALLINT', 'BIGINT'],
  ['INTEGER', 'DECIMAL(10,2)', 'DECIMAL(12,2)'],
  ['BIGINT', 'DECIMAL(30,4)', 'DECIMAL(30,4)'],
  ['DECIMAL(10,2)', 'DECIMAL(12,4)', 'DECIMAL(12,4)'],
  ['DECIMAL(38,10)', 'INTEGER', 'DECIMAL(38,10)'],
  ['FLOAT', 'DOUBLE', 'DOUBLE'],
  ['DOUBLE', 'FLOAT', 'DOUBLE'],
  ['FLOAT', 'SMALLINT', 'FLOAT'],
  ['FLOAT', 'INTEGER', 'DOUBLE'],
  ['INTEGER', 'DOUBLE', 'DOUBLE'],
  ['INTEGER[]', 'BIGINT[]', 'BIGINT[]'],
  ['INTEGER[][]', 'BIGINT[][]', 'BIGINT[][]'],
  ['DECIMAL(38,4)', 'VARCHAR', 'VARCHAR', asText],
  ['TIMESTAMP', 'VARCHAR', 'VARCHAR', asText],
  ['DATE[]', 'VARCHAR', 'VARCHAR', asText],
  ['VARCHAR', 'DECIMAL(38,4)', 'VARCHAR'],
  ['VARCHAR', 'INTEGER[]', 'VARCHAR'],
  ['VARCHAR', 'JSON', 'VARCHAR'],
];

const refused: [held: string, arrives: string][] = [
  ['INTEGER', 'VARCHAR'],
  ['JSON', 'VARCHAR'],
  ['UUID', 'VARCHAR'],
  ['DATE', 'TIMESTAMP'],
  ['TIMESTAMP', 'DATE'],
  ['TIMESTAMP', 'TIMESTAMP WITH TIME ZONE'],
  ['BIGINT', 'DOUBLE'],
  ['DOUBLE', 'BIGINT'],
  ['DECIMAL(10,2)', 'DOUBLE'],
  ['DECIMAL(38,0)', 'DECIMAL(10,2)'],
  ['BIGINT', 'DECIMAL(38,30)'],
  ['BOOLEAN', 'SMALLINT'],
  ['INTEGER', 'INTEGER[]'],
  ['INTEGER[]', 'VARCHAR[]'],
  ['BLOB', 'VARCHAR'],
];

describe('a table takes the columns that arrive', () => {
  test.each(widens)('%s meets %s and becomes %s', (held, arrives, becomes, more) => {
    const { columns, changes } = evolveColumns([column('x', held)], [column('x', arrives, more)]);
    expect(columns.map((each) => duckDbType(each.type))).toEqual([becomes]);
    expect(changes.length).toBe(held === becomes ? 0 : 1);
  });

  test.each(refused)('%s refuses %s with kind SCHEMA', (held, arrives) => {
    const evolve = () => evolveColumns([column('x', held)], [column('x', arrives)], 'orders');
    expect(evolve).toThrow(ConnectorError);
    expect(evolve).toThrow(
      expect.objectContaining({
        kind: 'SCHEMA',
        fix: expect.stringContaining('destinationTable'),
        message: expect.stringContaining(
          `column "x" is ${typeName(columnTypeOf(held))} in the table and ${typeName(columnTypeOf(arrives))} in the source`,
        ),
      }),
    );
  });

  test('a first write takes the columns as they are', () => {
    const incoming = [column('a', 'INTEGER', { nullable: false }), column('b', 'VARCHAR')];
    expect(evolveColumns(null, incoming)).toEqual({ columns: incoming, changes: [] });
  });

  test('a new column joins at the end as nullable, with a line for the log', () => {
    const { columns, changes } = evolveColumns(
      [column('a', 'INTEGER')],
      [column('b', 'DATE', { nullable: false }), column('a', 'INTEGER')],
    );
    expect(columns.map((each) => [each.name, each.nullable])).toEqual([
      ['a', true],
      ['b', true],
    ]);
    expect(changes).toEqual(['column "b" is new (date): NULL in the rows already there']);
  });

  test('a vanished column stays and may be NULL', () => {
    const { columns, changes } = evolveColumns(
      [column('a', 'INTEGER'), column('b', 'DATE', { nullable: false })],
      [column('a', 'INTEGER')],
    );
    expect(columns[1]).toMatchObject({ name: 'b', nullable: true });
    expect(changes).toEqual(['column "b" is gone from the source: it may be NULL from now on']);
  });

  test('a name in another case is the same column and keeps the table’s spelling', () => {
    const { columns } = evolveColumns([column('Id', 'INTEGER')], [column('ID', 'BIGINT')]);
    expect(columns).toMatchObject([{ name: 'Id', type: { kind: 'int64' } }]);
  });

  test('two columns whose names differ only in case are refused with both names', () => {
    expect(() => evolveColumns(null, [column('Id', 'INTEGER'), column('id', 'INTEGER')])).toThrow(
      /"Id" and "id"/,
    );
  });

  test('every misfit is named at once', () => {
    const held = [column('a', 'INTEGER'), column('b', 'DATE')];
    const arrives = [column('a', 'VARCHAR', { sourceType: 'varchar' }), column('b', 'TIMESTAMP')];
    expect(() => evolveColumns(held, arrives, 'orders')).toThrow(
      /"orders".*"a" is int32 in the table and text \(varchar\).*"b" is date.*untouched/,
    );
  });

  test('the reason for travelling as text stands in the log line', () => {
    const { changes } = evolveColumns([column('x', 'DECIMAL(10,2)')], [column('x', 'VARCHAR', asText)]);
    expect(changes).toEqual(['column "x" widens from decimal(10,2) to text: NaN has no decimal']);
  });

  test('what is evolved once does not change again', () => {
    const arrives = [column('x', 'BIGINT'), column('y', 'DATE')];
    const { columns } = evolveColumns([column('x', 'INTEGER')], arrives);
    expect(evolveColumns(columns, arrives).changes).toEqual([]);
  });
});
