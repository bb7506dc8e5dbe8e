import { duckDbType } from '#connectors/column-type.ts';
import type { ColumnType } from '#connectors/contract.ts';
import { rawSql, type Sql, sql } from '#warehouse/sql.ts';
import type { ColumnTravel } from './cloud-loader.ts';

const asIs = <T>(value: T): T => value;
const asText = (value: string) => `CAST(${value} AS VARCHAR)`;
const integer = (digits: number, staged: string): ColumnTravel => ({
  type: `NUMBER(${digits},0)`,
  kept: { kind: 'decimal', precision: digits, scale: 0 },
  write: asIs,
  staged,
  read: asIs,
});
const keptAsText = (asTextBecause: string): ColumnTravel => ({
  type: 'VARCHAR',
  kept: { kind: 'text' },
  write: asText,
  staged: 'VARCHAR',
  read: asIs,
  asTextBecause,
});

/** Snowflake's dates and moments reach from the year 1 to 9999; DuckDB's further, and to infinity. */
const within = (type: string, last: string) => (value: string) =>
  `${value} BETWEEN ${type} '0001-01-01' AND ${type} '${last}'`;
const moment = (
  type: 'TIMESTAMP_NTZ' | 'TIMESTAMP_LTZ',
  kind: 'timestamp' | 'timestamptz',
): ColumnTravel => ({
  type: `${type}(9)`,
  kept: { kind },
  // As a number no time zone and no format has a say.
  write: (value) => `epoch_us(${value})`,
  staged: 'NUMBER(38,0)',
  read: (value) =>
    sql`${type === 'TIMESTAMP_NTZ' ? sql`TO_TIMESTAMP_NTZ` : sql`TO_TIMESTAMP_LTZ`}(${value}, 6)`,
  fits: within(
    duckDbType({ kind }),
    kind === 'timestamp' ? '9999-12-31 23:59:59.999999' : '9999-12-31 23:59:59.999999+00',
  ),
});

const float: ColumnTravel = {
  type: 'FLOAT',
  kept: { kind: 'float64' },
  write: (value) => `CAST(${value} AS DOUBLE)`,
  staged: 'FLOAT',
  read: asIs,
};

const plain: Record<Exclude<ColumnType['kind'], 'decimal' | 'list'>, ColumnTravel> = {
  boolean: { type: 'BOOLEAN', kept: { kind: 'boolean' }, write: asIs, staged: 'BOOLEAN', read: asIs },
  int16: integer(5, 'NUMBER(5,0)'),
  int32: integer(10, 'NUMBER(10,0)'),
  int64: integer(19, 'NUMBER(19,0)'),
  float32: float,
  float64: float,
  text: { type: 'VARCHAR', kept: { kind: 'text' }, write: asIs, staged: 'VARCHAR', read: asIs },
  uuid: keptAsText('Snowflake has no type for UUIDs'),
  interval: keptAsText('Snowflake has no type for intervals'),
  date: {
    type: 'DATE',
    kept: { kind: 'date' },
    write: asText,
    staged: 'VARCHAR',
    read: (value) => sql`TO_DATE(${value}, 'YYYY-MM-DD')`,
    fits: within('DATE', '9999-12-31'),
  },
  time: {
    type: 'TIME(9)',
    kept: { kind: 'time' },
    write: asText,
    staged: 'VARCHAR',
    read: (value) => sql`CAST(${value} AS TIME(9))`,
    fits: (value) => `${value} < TIME '24:00:00'`,
  },
  timestamp: moment('TIMESTAMP_NTZ', 'timestamp'),
  timestamptz: moment('TIMESTAMP_LTZ', 'timestamptz'),
  json: {
    type: 'VARIANT',
    kept: { kind: 'json' },
    write: asText,
    staged: 'VARCHAR',
    // What its parser refuses stays, as the text that it is.
    read: (value) => sql`COALESCE(TRY_PARSE_JSON(${value}, 'd'), TO_VARIANT(${value}))`,
  },
  bytes: {
    type: 'BINARY',
    kept: { kind: 'bytes' },
    write: (value) => `hex(${value})`,
    staged: 'VARCHAR',
    read: (value) => sql`TO_BINARY(${value}, 'HEX')`,
  },
};

/** Beyond these digits a number is text in the file, so that nothing on its way takes it for a float. */
const fileDigitsMax = 18;

/** How values of that type travel to Snowflake, and what they are there. */
export function snowflakeTravel(type: ColumnType): ColumnTravel {
  if (type.kind === 'list') return listTravel(type.of);
  if (type.kind !== 'decimal') return plain[type.kind];
  const name = `NUMBER(${type.precision},${type.scale})`;
  const isLong = type.precision > fileDigitsMax;
  return {
    type: name,
    kept: type,
    write: isLong ? asText : asIs,
    staged: isLong ? 'VARCHAR' : name,
    read: isLong ? (value) => sql`CAST(${value} AS ${typeSql(name)})` : asIs,
  };
}

/** An ARRAY holds values of any type: those of JSON, and texts for all others. */
function listTravel(of: ColumnType): ColumnTravel {
  const element = of.kind === 'list' ? 'to_json(x)' : elementOf(of);
  return {
    type: 'ARRAY',
    kept: { kind: 'list', of: { kind: 'json' } },
    write: (value) =>
      `CASE WHEN ${value} IS NOT NULL THEN CAST(to_json(list_transform(${value}, x -> ${element})) AS VARCHAR) END`,
    staged: 'VARCHAR',
    read: (value) => sql`CAST(PARSE_JSON(${value}) AS ARRAY)`,
  };
}

function elementOf({ kind }: ColumnType): string {
  if (kind === 'bytes') return 'to_json(hex(x))';
  if (kind !== 'float32' && kind !== 'float64') return 'to_json(x)';
  // JSON has no NaN and no infinity.
  return 'CASE WHEN isfinite(x) THEN to_json(x) ELSE to_json(CAST(x AS VARCHAR)) END';
}

/** What a column of Snowflake's is, by its name in the catalog. */
export function snowflakeColumnType(dataType: string): ColumnType {
  const [, name = '', precision, scale = '0'] = /^(\w+)(?:\((\d+)(?:,\s*(\d+))?\))?$/.exec(dataType) ?? [];
  switch (name) {
    case 'NUMBER':
      return { kind: 'decimal', precision: Number(precision ?? 38), scale: Number(scale) };
    case 'FLOAT':
      return { kind: 'float64' };
    case 'BOOLEAN':
      return { kind: 'boolean' };
    case 'DATE':
      return { kind: 'date' };
    case 'TIME':
      return { kind: 'time' };
    case 'TIMESTAMP_NTZ':
      return { kind: 'timestamp' };
    case 'TIMESTAMP_LTZ':
    case 'TIMESTAMP_TZ':
      return { kind: 'timestamptz' };
    case 'VARIANT':
    case 'OBJECT':
      return { kind: 'json' };
    case 'ARRAY':
      return { kind: 'list', of: { kind: 'json' } };
    case 'BINARY':
      return { kind: 'bytes' };
    default:
      return { kind: 'text' };
  }
}

/** A value of one type as another that takes all of them: text as DuckDB writes it. */
export function snowflakeConvert(value: Sql, from: ColumnType, to: ColumnType): Sql {
  if (to.kind !== 'text') return sql`CAST(${value} AS ${typeSql(snowflakeTravel(to).type)})`;
  const clock = (format: string, of: Sql = value) =>
    sql`RTRIM(RTRIM(TO_CHAR(${of}, ${textSql(format)}), '0'), '.')`;
  const seconds = 'YYYY-MM-DD HH24:MI:SS.FF6';
  switch (from.kind) {
    case 'date':
      return sql`TO_CHAR(${value}, 'YYYY-MM-DD')`;
    case 'time':
      return clock('HH24:MI:SS.FF6');
    case 'timestamp':
      return clock(seconds);
    case 'timestamptz':
      return sql`${clock(seconds, sql`CAST(CAST(${value} AS TIMESTAMP_LTZ) AS TIMESTAMP_NTZ)`)} || '+00'`;
    case 'json':
    case 'list':
      return sql`TO_JSON(${value})`;
    default:
      return sql`CAST(${value} AS VARCHAR)`;
  }
}

const typeSql = (name: string) => rawSql(name);
const textSql = (text: string) => rawSql(`'${text}'`);
