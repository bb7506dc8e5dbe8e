import { messageOf } from '#base/errors.ts';
import { duckDbType, typeName } from '#connectors/column-type.ts';
import { ColumnMisfit, ConnectorError, type ColumnType, type StreamColumn } from '#connectors/contract.ts';
import { misfit, misfitIn, sqlText } from '#connectors/files/text-casts.ts';
import { quoteName } from '#warehouse/warehouse.ts';

const names: Record<Exclude<ColumnType, { kind: 'decimal' } | { kind: 'list' }>['kind'], string> = {
  boolean: 'boolean',
  int16: 'smallint',
  int32: 'integer',
  int64: 'bigint',
  float32: 'real',
  float64: 'double precision',
  text: 'text',
  uuid: 'uuid',
  date: 'date',
  time: 'time without time zone',
  timestamp: 'timestamp without time zone',
  timestamptz: 'timestamp with time zone',
  interval: 'interval',
  // Not jsonb: that keeps neither the order and repetition of keys nor the spelling of numbers, and refuses some texts.
  json: 'json',
  bytes: 'bytea',
};

/** The type of PostgreSQL that keeps every value of ours, as format_type writes it. */
export function postgresType(type: ColumnType): string {
  if (type.kind === 'decimal') return `numeric(${type.precision},${type.scale})`;
  return type.kind === 'list' ? `${postgresType(type.of)}[]` : names[type.kind];
}

/** An array of arrays is a matrix in PostgreSQL, which holds no lists of different lengths: they become JSON. */
export function postgresColumns(columns: readonly StreamColumn[]): StreamColumn[] {
  return columns.map((column) => {
    if (column.type.kind !== 'list' || column.type.of.kind !== 'list') return column;
    return { ...column, type: { kind: 'json' }, asTextBecause: 'PostgreSQL holds no lists of lists' };
  });
}

/**
 * SQL for DuckDB that writes a value of type `from` as PostgreSQL reads one of type `to`. A value that `to` cannot hold fails the
 * statement with an error that misfitOf reads.
 */
export function writtenValue(column: StreamColumn, to: ColumnType): string {
  const name = quoteName(column.name);
  const isNested = column.type.kind === 'list' && column.type.of.kind === 'list';
  if (isNested && to.kind === 'json') return `CAST(to_json(${name}) AS VARCHAR)`;
  const isSame = typeName(column.type) === typeName(to);
  return written(isSame ? name : `CAST(${name} AS ${duckDbType(to)})`, to, column.name);
}

function written(value: string, type: ColumnType, column: string): string {
  switch (type.kind) {
    case 'text':
    case 'json':
      return withoutNul(`CAST(${value} AS VARCHAR)`, column);
    case 'bytes':
      return `'\\x' || hex(${value})`;
    case 'date':
      return dated(value, `CAST(${value} AS VARCHAR)`, 'DATE', column);
    case 'timestamp':
      return dated(value, `CAST(${value} AS VARCHAR)`, 'TIMESTAMP', column);
    case 'timestamptz':
      // Sessions on both sides are in UTC. The cast of the type itself takes six times as long.
      return dated(
        value,
        `CAST(coalesce(make_timestamp(epoch_us(${value})), CAST(${value} AS TIMESTAMP)) AS VARCHAR)`,
        'TIMESTAMP WITH TIME ZONE',
        column,
      );
    case 'list':
      return listed(value, type.of, column);
    default:
      return value;
  }
}

/** The first day that PostgreSQL knows is the first of Julian days. */
const firstDay = '4714-11-24 (BC)';

/** DuckDB writes "0044-03-15 (BC) 01:02:03", PostgreSQL reads "0044-03-15 01:02:03 BC". */
function dated(value: string, text: string, type: string, column: string): string {
  const from = (day: string) => `CAST(${sqlText(type === 'DATE' ? day : `${day} 00:00:00`)} AS ${type})`;
  return (
    `CASE WHEN ${value} >= ${from('0001-01-01')} OR NOT isfinite(${value}) THEN ${text} ` +
    `WHEN ${value} >= ${from(firstDay)} THEN replace(${text}, ' (BC)', '') || ' BC' ` +
    `WHEN ${value} IS NOT NULL THEN ${misfit(value, column)} END`
  );
}

/** An array literal, its values quoted. */
function listed(list: string, of: ColumnType, column: string): string {
  const text = `CAST(${written('item', of, column)} AS VARCHAR)`;
  const quoted = `'"' || replace(replace(${text}, '\\', '\\\\'), '"', '\\"') || '"'`;
  const items = `list_transform(${list}, lambda item: coalesce(${quoted}, 'NULL'))`;
  return `'{' || array_to_string(${items}, ',') || '}'`;
}

const nulMark = 'sluice-nul ';
const shownCharactersMax = 200;

/** Text of PostgreSQL holds every character but U+0000. */
function withoutNul(text: string, column: string): string {
  const shown = `to_json([${sqlText(column)}, left(replace(${text}, chr(0), '\\0'), ${shownCharactersMax})])`;
  return `CASE WHEN contains(${text}, chr(0)) THEN error(${sqlText(nulMark)} || ${shown}) ELSE ${text} END`;
}

/** What a writtenValue has refused, by the message of its statement; undefined when that failed for another reason. */
export function refusedValue(error: unknown): ColumnMisfit | ConnectorError | undefined {
  const message = messageOf(error);
  const found = misfitIn(message);
  if (found) return new ColumnMisfit(found.column, found.value, { cause: error });
  const at = message.indexOf(nulMark);
  const json =
    at < 0 ? null : /^\["(?:[^"\\]|\\.)*","(?:[^"\\]|\\.)*"\]/s.exec(message.slice(at + nulMark.length));
  if (!json) return undefined;
  const [column, value] = JSON.parse(json[0]) as [string, string];
  const said = `holds ${JSON.stringify(value)}, in which \\0 stands for U+0000: no text of PostgreSQL can hold that character.`;
  return new ConnectorError('SCHEMA', `The column "${column}" ${said}`, {
    fix: 'Take the character out in the source, or leave the column out with selectedColumns.',
    cause: error,
  });
}
