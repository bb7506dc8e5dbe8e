import type { Dialect, ValueType } from './dialect.ts';
import type { Bind, Statement, TableName } from './warehouse.ts';

type Piece = string | { bind: Bind; type?: ValueType } | { name: string };

/** A piece of SQL with its binds in place. Made by the tag `sql`; no value ever becomes text. */
export class Sql {
  readonly pieces: readonly Piece[];

  constructor(pieces: readonly Piece[]) {
    this.pieces = pieces;
  }
}

/** SQL text; what stands in `${}` is a bind, unless it is a piece of SQL itself. */
export function sql(strings: TemplateStringsArray, ...values: readonly (Sql | Bind)[]): Sql {
  const pieces: Piece[] = [];
  for (const [index, text] of strings.entries()) {
    if (text !== '') pieces.push(text);
    if (index >= values.length) continue;
    const value = values[index] as Sql | Bind;
    // Not spread: they may be more than a call takes arguments.
    if (value instanceof Sql) for (const piece of value.pieces) pieces.push(piece);
    else pieces.push({ bind: value });
  }
  return new Sql(pieces);
}

/** Text that is SQL as it stands: keywords and numbers of our own, never what came from outside. */
export function rawSql(text: string): Sql {
  return new Sql([text]);
}

/** A name, or names joined by dots, quoted as the engine quotes them. */
export function nameSql(...names: readonly string[]): Sql {
  return joinSql(
    names.map((name) => new Sql([{ name }])),
    '.',
  );
}

/** A table by its whole name. */
export function tableSql(table: TableName): Sql {
  return nameSql(table.database, table.schema, table.name);
}

/** The pieces with the separator between them; nothing for none. */
export function joinSql(parts: readonly Sql[], separator = ', '): Sql {
  return new Sql(parts.flatMap((part, index) => (index === 0 ? part.pieces : [separator, ...part.pieces])));
}

/** The same, where it is one text bind: then the statement says what it is cast to. */
export function typedBind(value: Sql, type: ValueType): Sql {
  const [piece] = value.pieces;
  if (value.pieces.length !== 1 || typeof piece !== 'object' || !('bind' in piece)) return value;
  return typeof piece.bind === 'string' ? new Sql([{ ...piece, type }]) : value;
}

/** All of the conditions; TRUE for none. */
export function allOf(conditions: readonly Sql[]): Sql {
  return conditions.length === 0 ? rawSql('TRUE') : sql`(${joinSql(conditions, ' AND ')})`;
}

/** At least one of the conditions; FALSE for none. */
export function anyOf(conditions: readonly Sql[]): Sql {
  return conditions.length === 0 ? rawSql('FALSE') : sql`(${joinSql(conditions, ' OR ')})`;
}

/** The statement as the engine takes it. Equal SQL with equal binds gives equal text and binds, always. */
export function toStatement(of: Sql, dialect: Pick<Dialect, 'quoteName' | 'placeholder'>): Statement {
  const binds: Bind[] = [];
  const bindTypes: (ValueType | undefined)[] = [];
  const text = of.pieces.map((piece) => {
    if (typeof piece === 'string') return piece;
    if ('name' in piece) return dialect.quoteName(piece.name);
    binds.push(piece.bind);
    if (piece.type !== undefined) bindTypes[binds.length - 1] = piece.type;
    return dialect.placeholder(binds.length);
  });
  return { sql: text.join(''), binds, ...(bindTypes.length > 0 && { bindTypes }) };
}

/** The statement as text that holds its binds itself, for what keeps only text, such as a view. Texts are the only binds it takes. */
export function toText(of: Sql, dialect: Pick<Dialect, 'quoteName' | 'quoteText'>): string {
  const text = of.pieces.map((piece) => {
    if (typeof piece === 'string') return piece;
    if ('name' in piece) return dialect.quoteName(piece.name);
    if (typeof piece.bind === 'string') return dialect.quoteText(piece.bind);
    throw new Error(`A bind of type ${typeof piece.bind} cannot be written as text.`);
  });
  return text.join('');
}
