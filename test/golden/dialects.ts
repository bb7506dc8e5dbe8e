import { dialectOf } from '#warehouse/dialects.ts';
import type { ValueType } from '#warehouse/dialect.ts';
import type { Warehouse } from '#warehouse/warehouse.ts';

/** The names that the catalog of an engine has for the types of the golden tables. */
export type GoldenTypes = Record<
  Extract<ValueType, 'text' | 'integer' | 'decimal' | 'uuid' | 'json' | 'date' | 'timestamp' | 'timestamptz'>,
  string
>;

/** Every engine whose SQL is kept as golden files, in the folder of its name in small letters. */
export const goldenDialects: Partial<Record<Warehouse['engine'], GoldenTypes>> = {
  DUCKDB: {
    text: 'VARCHAR',
    integer: 'BIGINT',
    decimal: 'DECIMAL(9,2)',
    uuid: 'UUID',
    json: 'JSON',
    date: 'DATE',
    timestamp: 'TIMESTAMP',
    timestamptz: 'TIMESTAMP WITH TIME ZONE',
  },
  POSTGRES: {
    text: 'text',
    integer: 'bigint',
    decimal: 'numeric(9,2)',
    uuid: 'uuid',
    json: 'jsonb',
    date: 'date',
    timestamp: 'timestamp without time zone',
    timestamptz: 'timestamp with time zone',
  },
  BIGQUERY: {
    text: 'STRING',
    integer: 'INT64',
    decimal: 'NUMERIC(9, 2)',
    uuid: 'STRING(36)',
    json: 'JSON',
    date: 'DATE',
    timestamp: 'DATETIME',
    timestamptz: 'TIMESTAMP',
  },
  REDSHIFT: {
    text: 'character varying(65535)',
    integer: 'bigint',
    decimal: 'numeric(9,2)',
    uuid: 'character varying(36)',
    json: 'super',
    date: 'date',
    timestamp: 'timestamp without time zone',
    timestamptz: 'timestamp with time zone',
  },
  SNOWFLAKE: {
    text: 'VARCHAR(16777216)',
    integer: 'NUMBER(38,0)',
    decimal: 'NUMBER(9,2)',
    uuid: 'VARCHAR(36)',
    json: 'VARIANT',
    date: 'DATE',
    timestamp: 'TIMESTAMP_NTZ(9)',
    timestamptz: 'TIMESTAMP_LTZ(9)',
  },
  DATABRICKS: {
    text: 'STRING',
    integer: 'BIGINT',
    decimal: 'DECIMAL(9,2)',
    uuid: 'STRING',
    json: 'VARIANT',
    date: 'DATE',
    timestamp: 'TIMESTAMP_NTZ',
    timestamptz: 'TIMESTAMP',
  },
};

export const goldenEngines = Object.keys(goldenDialects) as Warehouse['engine'][];

/** The type as the engine's catalog names it. Fails when the engine's dialect takes that for another type. */
export function goldenType(engine: Warehouse['engine'], type: keyof GoldenTypes): string {
  const name = goldenDialects[engine]![type];
  const read = dialectOf(engine).valueType(name);
  // Where there is no type for UUIDs they are text.
  if (read === type || (type === 'uuid' && read === 'text')) return name;
  throw new Error(`The dialect of ${engine} takes ${name} for ${read}, not for ${type}.`);
}
