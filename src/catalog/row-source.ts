import { AppError } from '#base/errors.ts';
import { nearest } from '#base/nearest.ts';
import type { EntityKind } from '#generated/prisma/enums.ts';
import type { Dialect, JsonType, ValueType } from '#warehouse/dialect.ts';
import { anyOf, joinSql, nameSql, rawSql, sql, tableSql, type Sql } from '#warehouse/sql.ts';
import { keyValue, textSql } from './compare-sql.ts';
import {
  type CatalogedTable,
  type Mapping,
  type MappedColumns,
  type Mappings,
  propertyNames,
} from './mappings.ts';

/** A value that every row of a source has, as SQL over the source's `from`. */
export interface SourceColumn {
  sql: Sql;
  type: ValueType;
  /** The text of a JSON property: any two rows may hold values of different types in it. */
  dynamic: boolean;
}

/** Rows of a table or an entity, and what can be read of each. Columns asked for decide what `from` joins. */
export interface RowSource {
  readonly datastore: CatalogedTable['datastore'];
  readonly dialect: Dialect;
  /** Fails with BAD_USER_INPUT for what the rows do not have, naming what they have. */
  column(path: string): SourceColumn;
  /** What follows FROM. To be called when all columns have been asked for. */
  from(): Sql;
  /** The tables that `from` reads. */
  tableIds(): string[];
}

/** The rows of an entity. */
export interface EntityRowSource extends RowSource {
  /** Whether each row has the key of an organization, its own or its user's. */
  readonly reachesOrganization: boolean;
  /** The condition that the row's key is this one, or the one that it is an alias of. */
  hasKey(key: string): Sql;
}

/** The fields that each kind can be mapped to, the key aside. */
export const entityFields: Record<EntityKind, readonly (keyof MappedColumns)[]> = {
  USER: ['name', 'email', 'createdAt', 'organizationKey'],
  ORGANIZATION: ['name', 'createdAt'],
  EVENT: ['name', 'at', 'userKey', 'organizationKey'],
};

/** The name that the rows of a source have in its SQL. */
export const rows = 'r';

/** The rows of a table; its columns by their names. */
export function tableSource(table: CatalogedTable, dialect: Dialect): RowSource {
  return {
    datastore: table.datastore,
    dialect,
    column: (path) => plainColumn(table, dialect, rows, path),
    from: () => sql`${tableSql(table)} AS ${nameSql(rows)}`,
    tableIds: () => [table.id],
  };
}

/**
 * The entities of one kind. A path names the key ("key"), a field ("createdAt"), a property ("plan", or
 * "properties.name" where a field has its name), or one of these of what it belongs to ("user.plan",
 * "organization.plan"). A user's aliases count as that user. Fails with BAD_USER_INPUT without a mapping.
 */
export function entitySource(mappings: Mappings, kind: EntityKind, dialect: Dialect): EntityRowSource {
  return new EntitySource(mappings, kind, dialect);
}

/** The mapping of a kind. Fails with BAD_USER_INPUT that says how to map when there is none. */
export function mappingOf(mappings: Mappings, kind: EntityKind): Mapping {
  const mapping = mappings[kind];
  if (mapping) return mapping;
  throw new AppError('BAD_USER_INPUT', `No table is mapped to ${kind} in this project.`, {
    fix: `Say which table holds them: ${exampleOf(kind)}`,
  });
}

function exampleOf(kind: EntityKind): string {
  const input = {
    USER: 'table: "raw.users", key: "id", name: "name", organizationKey: "organization_id"',
    ORGANIZATION: 'table: "raw.organizations", key: "id", name: "name"',
    EVENT: 'table: "raw.events", key: "id", name: "name", at: "at", userKey: "user_id"',
  }[kind];
  return `mutation { mapEntity(input: { kind: ${kind}, ${input} }) { userErrors { message path } } }`;
}

class EntitySource implements EntityRowSource {
  readonly dialect: Dialect;
  readonly #mappings: Mappings;
  readonly #mapping: Mapping;
  /** Of each entity that is joined, the columns that are needed of it, by their paths. */
  readonly #joins = new Map<'user' | 'organization', Map<string, SourceColumn>>();
  #joinsAlias = false;
  #looksUpAlias = false;

  constructor(mappings: Mappings, kind: EntityKind, dialect: Dialect) {
    this.#mappings = mappings;
    this.#mapping = mappingOf(mappings, kind);
    this.dialect = dialect;
  }

  get datastore(): CatalogedTable['datastore'] {
    return this.#mapping.table.datastore;
  }

  get reachesOrganization(): boolean {
    return this.#mapping.columns.organizationKey !== undefined || this.#isOfUsersOrganization();
  }

  column(path: string): SourceColumn {
    const joined = /^(user|organization)\.(.+)$/s.exec(path);
    if (joined && this.#belongsTo(joined[1] as 'user' | 'organization')) {
      return this.#joined(joined[1] as 'user' | 'organization', joined[2] as string);
    }
    if (path === 'userKey' && this.#mapping.kind === 'EVENT') return this.#userKey();
    // An event without a key of its organization has its user's.
    if (path === 'organizationKey' && this.#isOfUsersOrganization()) return this.#joined('user', path);
    this.#refuseMisspelled(path);
    return ownColumn(this.#mapping, this.dialect, rows, path);
  }

  hasKey(key: string): Sql {
    const column = this.column('key');
    const own = keyValue(this.dialect, column, key);
    const alias = this.#mapping.kind === 'USER' ? this.#alias() : null;
    if (!alias) return own ? sql`${own.column} = ${own.value}` : anyOf([]);
    this.#looksUpAlias = true;
    const side = (name: string) => plainColumn(alias.table, this.dialect, 'o', name);
    const asked = keyValue(this.dialect, side(alias.aliasKey), key);
    const canonical = side(alias.canonicalKey);
    const isTyped = column.type === 'integer' || column.type === 'uuid';
    const found = isTyped
      ? this.dialect.tryCast(canonical.sql, column.type)
      : textSql(this.dialect, canonical);
    const isAlias = asked ? sql`${asked.column} = ${asked.value}` : anyOf([]);
    return sql`${own?.column ?? column.sql} = coalesce((SELECT ${leastOf(this.dialect, found, isTyped ? column.type : 'text')} FROM ${tableSql(alias.table)} AS ${nameSql('o')} WHERE ${isAlias}), ${own?.value ?? rawSql('NULL')})`;
  }

  from(): Sql {
    const parts = [sql`${tableSql(this.#mapping.table)} AS ${nameSql(rows)}`];
    // In this order: each may stand on the one before.
    if (this.#joinsAlias) parts.push(this.#aliasJoin());
    for (const entity of ['user', 'organization'] as const) {
      const columns = this.#joins.get(entity);
      if (columns) parts.push(this.#join(entity, columns));
    }
    return joinSql(parts, ' ');
  }

  tableIds(): string[] {
    const ids = [this.#mapping.table.id];
    if (this.#joinsAlias || this.#looksUpAlias) ids.push(this.#alias()!.table.id);
    for (const entity of this.#joins.keys()) ids.push(this.#other(entity).table.id);
    return ids;
  }

  #belongsTo(entity: 'user' | 'organization'): boolean {
    const { kind } = this.#mapping;
    return kind === 'EVENT' || (kind === 'USER' && entity === 'organization');
  }

  /** Of a JSON column that may hold any name, "organisation.plan" would be a property that no row has. */
  #refuseMisspelled(path: string): void {
    const dot = path.indexOf('.');
    if (dot < 0 || path.startsWith('properties.') || propertyNames(this.#mapping) !== null) return;
    const owners = (['user', 'organization'] as const).filter((entity) => this.#belongsTo(entity));
    const owner = nearest(path.slice(0, dot), owners);
    if (owner === undefined) return;
    const what = nounOf(this.#mapping.kind);
    throw new AppError(
      'BAD_USER_INPUT',
      `${what} belongs to no "${path.slice(0, dot)}". Did you mean "${owner}${path.slice(dot)}"?`,
      { fix: `A property of that very name is "properties.${path}".` },
    );
  }

  #other(entity: 'user' | 'organization'): Mapping {
    const mapping = mappingOf(this.#mappings, entity === 'user' ? 'USER' : 'ORGANIZATION');
    if (mapping.table.datastore.id === this.datastore.id) return mapping;
    throw new AppError(
      'BAD_USER_INPUT',
      `${mapping.kind} lies in the datastore "${mapping.table.datastore.name}" and ${this.#mapping.kind} in "${this.datastore.name}": one statement cannot read both.`,
      { fix: 'Sync both into one datastore, and map them there.' },
    );
  }

  #joined(entity: 'user' | 'organization', path: string): SourceColumn {
    const other = this.#other(entity);
    const inner = ownColumn(other, this.dialect, 'o', path);
    // Asked for first, so that a key that is missing fails here and not when the statement is made.
    this.#keyOf(entity);
    const columns = this.#joins.get(entity) ?? new Map<string, SourceColumn>();
    this.#joins.set(entity, columns);
    columns.set(path, inner);
    return { ...inner, sql: nameSql(entity, path) };
  }

  #isOfUsersOrganization(): boolean {
    const { kind, columns } = this.#mapping;
    const user = this.#mappings.USER?.columns;
    return (
      kind === 'EVENT' &&
      columns.organizationKey === undefined &&
      columns.userKey !== undefined &&
      user?.organizationKey !== undefined
    );
  }

  #keyOf(entity: 'user' | 'organization'): SourceColumn {
    return this.column(entity === 'user' ? 'userKey' : 'organizationKey');
  }

  /** Of many rows with one key any counts, so that a table with duplicates does not count a row twice. */
  #join(entity: 'user' | 'organization', columns: ReadonlyMap<string, SourceColumn>): Sql {
    const other = this.#other(entity);
    const key = ownColumn(other, this.dialect, 'o', 'key');
    const read = [...columns].map(([path, column]) => sql`any_value(${column.sql}) AS ${nameSql(path)}`);
    const [ours, theirs] = comparable(this.dialect, this.#keyOf(entity), {
      ...key,
      sql: nameSql(entity, '#key'),
    });
    return sql`LEFT JOIN (SELECT ${joinSql([sql`${key.sql} AS ${nameSql('#key')}`, ...read])} FROM ${tableSql(other.table)} AS ${nameSql('o')} GROUP BY 1) AS ${nameSql(entity)} ON ${theirs} = ${ours}`;
  }

  /** Fails with BAD_USER_INPUT where they lie elsewhere: without them, what an alias did would count for nobody. */
  #alias(): Mapping['alias'] {
    const alias = this.#mappings.USER?.alias ?? null;
    if (!alias || alias.table.datastore.id === this.datastore.id) return alias;
    throw new AppError(
      'BAD_USER_INPUT',
      `The aliases of users lie in the datastore "${alias.table.datastore.name}" and ${this.#mapping.kind} in "${this.datastore.name}": one statement cannot read both.`,
      { fix: 'Sync both into one datastore, and map them there.' },
    );
  }

  /** The user that a row counts for. */
  #userKey(): SourceColumn {
    const own = ownColumn(this.#mapping, this.dialect, rows, 'userKey');
    const alias = this.#alias();
    if (!alias) return own;
    this.#joinsAlias = true;
    const canonical = plainColumn(alias.table, this.dialect, 'alias', alias.canonicalKey);
    const key = { ...canonical, sql: nameSql('alias', '#canonical') };
    const [left, right] = comparable(this.dialect, key, own);
    return {
      sql: sql`coalesce(${left}, ${right})`,
      type: canonical.type === own.type ? own.type : 'text',
      dynamic: false,
    };
  }

  #aliasJoin(): Sql {
    const { table, aliasKey, canonicalKey } = this.#alias()!;
    const key = plainColumn(table, this.dialect, 'o', aliasKey);
    const canonical = plainColumn(table, this.dialect, 'o', canonicalKey);
    const own = ownColumn(this.#mapping, this.dialect, rows, 'userKey');
    const [theirs, ours] = comparable(this.dialect, { ...key, sql: nameSql('alias', '#alias') }, own);
    return sql`LEFT JOIN (SELECT ${key.sql} AS ${nameSql('#alias')}, ${leastOf(this.dialect, canonical.sql, canonical.type)} AS ${nameSql('#canonical')} FROM ${tableSql(table)} AS ${nameSql('o')} GROUP BY 1) AS ${nameSql('alias')} ON ${theirs} = ${ours}`;
  }
}

/** Of several keys one, always the same. UUIDs have an order in every engine, and not everywhere a least one. */
function leastOf(dialect: Dialect, key: Sql, type: ValueType): Sql {
  return type === 'uuid' ? dialect.cast(sql`min(${dialect.cast(key, 'text')})`, 'uuid') : sql`min(${key})`;
}

/** Two keys so that they can be compared: as they are when both are of one type, else as text. */
function comparable(dialect: Dialect, left: SourceColumn, right: SourceColumn): [Sql, Sql] {
  if (left.type === right.type) return [left.sql, right.sql];
  return [dialect.cast(left.sql, 'text', left.type), dialect.cast(right.sql, 'text', right.type)];
}

/** What a row of the mapping's own table has, read of the table under that alias. */
function ownColumn(mapping: Mapping, dialect: Dialect, alias: string, path: string): SourceColumn {
  if (path === 'key') return mappedColumn(mapping, dialect, alias, mapping.key);
  const field = entityFields[mapping.kind].find((each) => each === path);
  const column = field && mapping.columns[field];
  if (column !== undefined) return mappedColumn(mapping, dialect, alias, column);
  const property = path.startsWith('properties.') ? path.slice('properties.'.length) : path;
  const names = propertyNames(mapping);
  if (names !== null && !names.includes(property)) throw unknownPath(mapping, path, names);
  if (field !== undefined && !path.startsWith('properties.') && names === null) {
    throw unknownPath(mapping, path, []);
  }
  if (mapping.propertiesColumn === null) return plainColumn(mapping.table, dialect, alias, property);
  const json = nameSql(alias, mapping.propertiesColumn);
  return { sql: dialect.jsonText(json, property, jsonTypeOf(mapping, dialect)), type: 'text', dynamic: true };
}

/** What the column of a mapping's properties is: JSON, or text that holds it. */
export function jsonTypeOf({ table, propertiesColumn }: Mapping, dialect: Dialect): JsonType {
  const column = table.columns.find(({ name }) => name === propertiesColumn);
  return column && dialect.valueType(column.dataType) === 'text' ? 'text' : 'json';
}

/** A column that mapEntity chose: whoever asks did not name it, and is not told to name another. */
function mappedColumn({ kind, table }: Mapping, dialect: Dialect, alias: string, name: string): SourceColumn {
  if (table.columns.some((each) => each.name === name)) return plainColumn(table, dialect, alias, name);
  const names = table.columns.map((each) => each.name).join(', ');
  throw new AppError(
    'BAD_USER_INPUT',
    `${kind} is mapped to the column "${name}" of ${table.schema}.${table.name}, which is gone. It has: ${names}.`,
    { fix: `Map ${kind} anew with mapEntity, or run refreshCatalog when the column is there.` },
  );
}

function plainColumn(table: CatalogedTable, dialect: Dialect, alias: string, name: string): SourceColumn {
  const column = table.columns.find((each) => each.name === name);
  if (column) return { sql: nameSql(alias, name), type: dialect.valueType(column.dataType), dynamic: false };
  const names = table.columns.map((each) => each.name);
  throw new AppError(
    'BAD_USER_INPUT',
    `The table ${table.schema}.${table.name} has no column "${name}".${meant(name, names)} It has: ${names.join(', ')}.`,
    { fix: 'Name one of these, or run refreshCatalog when the table has changed.' },
  );
}

function unknownPath(mapping: Mapping, path: string, properties: readonly string[]): AppError {
  const fields = [
    'key',
    ...entityFields[mapping.kind].filter((field) => mapping.columns[field] !== undefined),
  ];
  const joined = { USER: 'organization.…', ORGANIZATION: '', EVENT: 'user.…, organization.…' }[mapping.kind];
  const names = [...fields, ...properties, ...(joined ? [joined] : [])];
  return new AppError(
    'BAD_USER_INPUT',
    `${nounOf(mapping.kind)} has no "${path}".${meant(path, names)} It has: ${names.join(', ')}.`,
    { fix: 'Name one of these, or map more of the table with mapEntity.' },
  );
}

function nounOf(kind: EntityKind): string {
  return { USER: 'A user', ORGANIZATION: 'An organization', EVENT: 'An event' }[kind];
}

function meant(name: string, names: readonly string[]): string {
  const near = nearest(name, names);
  return near ? ` Did you mean "${near}"?` : '';
}
