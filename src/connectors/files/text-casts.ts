import type { ColumnType } from '#connectors/contract.ts';

/*
 * Text formats (CSV, JSON) are read as text and turned into types by casts that refuse whatever they would change: leading
 * zeros, digits beyond a float's, fractions of a microsecond. Such a value is an error that names its column, so that
 * the stream starts anew with the column as text. Measured on two cores: 2.2 million rows/s of six columns, against
 * 5.6 million when DuckDB's reader casts, which rounds "1.5" to 2 in a whole-number column.
 */

/** What text in a file can turn out to hold. Everything else stays text. */
export const inferredKinds = [
  'boolean',
  'int64',
  'float64',
  'date',
  'time',
  'timestamp',
  'timestamptz',
] as const;
export type InferredKind = (typeof inferredKinds)[number];

const castNames: Record<InferredKind, string> = {
  boolean: 'BOOLEAN',
  int64: 'BIGINT',
  float64: 'DOUBLE',
  date: 'DATE',
  time: 'TIME',
  timestamp: 'TIMESTAMP',
  timestamptz: 'TIMESTAMP WITH TIME ZONE',
};

const day = '\\d{4}-\\d{2}-\\d{2}';
const clock = '\\d{2}:\\d{2}(:\\d{2}(\\.\\d{1,6})?)?';
const zone = '(Z|[+-]\\d{2}(:?\\d{2})?)';

/** Without leading zeros, plus signs, blanks and underscores, all of which a cast would drop. */
const number = '-?(0|[1-9]\\d*)?([.]\\d*)?([eE][+-]?\\d+)?|[nN][aA][nN]|-?[iI]nf(inity)?';

/** A decimal number of up to 15 digits comes back from a 64-bit float as it went in; longer ones must prove it. */
const exactFloatDigits = 15;

/** SQL for the digits that count of a number in text: without sign, point, exponent and leading zeros. */
function digitsOf(text: string): string {
  return `ltrim(replace(regexp_replace(${text}, '^-|[eE].*$', '', 'g'), '.', ''), '0')`;
}

/** SQL that is true when the cast of the text keeps all that the text says. Null-safe: `text` is not null here. */
export function keepsExactly(text: string, kind: InferredKind): string {
  const cast = `TRY_CAST(${text} AS ${castNames[kind]})`;
  const matches = (pattern: string) => `(${cast} IS NOT NULL AND regexp_full_match(${text}, '${pattern}'))`;
  const comesBack = `coalesce(CAST(${cast} AS VARCHAR) = ${text}, false)`;
  const sql: Record<InferredKind, string> = {
    boolean: `lower(${text}) IN ('true', 'false')`,
    int64: comesBack,
    float64:
      `(${matches(number)} AND (length(${text}) <= ${exactFloatDigits} OR ${comesBack} ` +
      `OR length(${digitsOf(text)}) <= ${exactFloatDigits}))`,
    date: comesBack,
    time: matches(clock),
    timestamp: matches(`${day}[ T]${clock}`),
    timestamptz: matches(`${day}[ T]${clock} ?${zone}`),
  };
  return sql[kind];
}

/** Whether the type can be had from text, so that castOrRefuse takes it. */
export function isInferred(type: ColumnType): type is { kind: InferredKind } {
  return (inferredKinds as readonly string[]).includes(type.kind);
}

/** SQL that turns text into the type, "" and NULL into NULL, and throws a misfit for what it cannot keep. */
export function castOrRefuse(text: string, kind: InferredKind, column: string): string {
  return (
    `CASE WHEN ${text} IS NULL OR ${text} = '' THEN NULL WHEN ${keepsExactly(text, kind)} ` +
    `THEN TRY_CAST(${text} AS ${castNames[kind]}) ELSE ${misfit(text, column)} END`
  );
}

const misfitMark = 'sluice-misfit ';
const misfitCharactersMax = 200;

/** SQL that throws an error which `misfitIn` reads back. It must depend on the value, or DuckDB throws it while planning. */
export function misfit(value: string, column: string): string {
  return `error(${sqlText(misfitMark)} || to_json({'column': ${sqlText(column)}, 'value': left(CAST(${value} AS VARCHAR), ${misfitCharactersMax})}))`;
}

/** The column and value of a misfit in an error's message; null when it is another error. */
export function misfitIn(message: string): { column: string; value: string } | null {
  const at = message.indexOf(misfitMark);
  if (at === -1) return null;
  const json = /^\{"column":"(?:[^"\\]|\\.)*","value":"(?:[^"\\]|\\.)*"\}/s.exec(
    message.slice(at + misfitMark.length),
  );
  return json && (JSON.parse(json[0]) as { column: string; value: string });
}

/** A text literal. */
export function sqlText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
