import { describe, expect, test } from 'vitest';
import { columnTypeOf, duckDbType, jsonSchemaOf, typeName, whyText } from '#connectors/column-type.ts';

describe('column types', () => {
  test.each([
    'BOOLEAN',
    'SMALLINT',
    'INTEGER',
    'BIGINT',
    'FLOAT',
    'DOUBLE',
    'VARCHAR',
    'UUID',
    'DATE',
    'TIME',
    'TIMESTAMP',
    'TIMESTAMP WITH TIME ZONE',
    'INTERVAL',
    'JSON',
    'BLOB',
    'DECIMAL(38,2)',
    'INTEGER[]',
    'DECIMAL(5,1)[][]',
    'JSON[]',
  ])('%s survives the way to our name and back', (name) => {
    expect(duckDbType(columnTypeOf(name))).toBe(name);
    expect(whyText(name)).toBeUndefined();
  });

  test.each([
    ['TINYINT', 'int16'],
    ['UTINYINT', 'int16'],
    ['USMALLINT', 'int32'],
    ['UINTEGER', 'int64'],
    ['UBIGINT', 'decimal(20,0)'],
    ['TIMESTAMP_S', 'timestamp'],
    ['TIMESTAMP_MS', 'timestamp'],
    ['STRUCT(a INTEGER, b VARCHAR)', 'json'],
    ['MAP(VARCHAR, INTEGER)', 'json'],
    ['STRUCT(a INTEGER[])[]', 'json[]'],
    ['INTEGER[3]', 'int32[]'],
    ["ENUM('a', 'b')", 'text'],
  ])('%s is kept exactly as %s', (name, type) => {
    expect(typeName(columnTypeOf(name))).toBe(type);
    expect(whyText(name)).toBeUndefined();
  });

  test.each(['HUGEINT', 'UHUGEINT', 'TIME WITH TIME ZONE', 'BIT', 'TIMESTAMP_NS', 'BIGNUM', 'HUGEINT[]'])(
    '%s travels as text and says why',
    (name) => {
      expect(typeName(columnTypeOf(name))).toMatch(/^text/);
      expect(whyText(name)).toContain(name.replace('[]', ''));
    },
  );

  test('the JSON Schema of a stream names the exact type where JSON has none', () => {
    const schema = jsonSchemaOf([
      { name: 'id', type: { kind: 'int64' }, nullable: false, sourceType: 'bigint' },
      {
        name: 'price',
        type: { kind: 'decimal', precision: 38, scale: 2 },
        nullable: true,
        sourceType: 'numeric',
      },
      { name: 'tags', type: { kind: 'list', of: { kind: 'text' } }, nullable: true, sourceType: 'text[]' },
      {
        name: 'ip',
        type: { kind: 'text' },
        nullable: true,
        sourceType: 'inet',
        asTextBecause: 'inet has no type',
      },
      { name: 'doc', type: { kind: 'json' }, nullable: true, sourceType: 'jsonb' },
    ]);
    expect(schema).toEqual({
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      type: 'object',
      properties: {
        id: { type: 'integer', format: 'int64', columnType: 'int64', sourceType: 'bigint' },
        price: {
          type: ['string', 'null'],
          format: 'decimal',
          columnType: 'decimal(38,2)',
          sourceType: 'numeric',
        },
        tags: {
          type: ['array', 'null'],
          items: { type: 'string' },
          columnType: 'text[]',
          sourceType: 'text[]',
        },
        ip: {
          type: ['string', 'null'],
          columnType: 'text',
          sourceType: 'inet',
          description: 'Travels as text: inet has no type.',
        },
        doc: { columnType: 'json', sourceType: 'jsonb' },
      },
      required: ['id'],
      additionalProperties: false,
    });
  });
});
