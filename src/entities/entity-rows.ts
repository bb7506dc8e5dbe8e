import { AppError } from '#base/errors.ts';
import type { FreshnessOf } from '#catalog/ask.ts';
import { textSql } from '#catalog/compare-sql.ts';
import { type Mapping, propertyNames } from '#catalog/mappings.ts';
import { type EntityRowSource, jsonTypeOf, type RowSource, rows } from '#catalog/row-source.ts';
import type { EntityKind } from '#generated/prisma/enums.ts';
import { allOf, joinSql, nameSql, sql, type Sql } from '#warehouse/sql.ts';

/** What can be read of an entity besides its key. What is not mapped is null. */
export type EntityField =
  'name' | 'email' | 'createdAt' | 'at' | 'userKey' | 'organizationKey' | 'properties';

/** An entity as it was read: of the fields, those that were asked for. */
export interface EntityRow {
  kind: EntityKind;
  key: string;
  /** The value that its list is sorted by, as cursors hold it. */
  orderValue: string | null;
  name: string | null;
  email: string | null;
  createdAt: Date | null;
  at: Date | null;
  userKey: string | null;
  organizationKey: string | null;
  /** As answers of the warehouse hold values; JSON is parsed. */
  properties: unknown;
  /** Of what it was read from. */
  freshness: FreshnessOf;
}

/** What to select for each row, and how to make entities of what was answered. */
export interface RowReader {
  columns: Sql[];
  read(values: readonly unknown[], freshness: FreshnessOf): EntityRow;
}

/** The rows that are entities: those with a key, and of events those with a moment. */
export function areEntities(source: RowSource, kind: EntityKind): Sql {
  const there = [source.column('key'), ...(kind === 'EVENT' ? [source.column('at')] : [])];
  return allOf(there.map((column) => sql`${column.sql} IS NOT NULL`));
}

/** Reads the key, the order's value and the fields asked for, and no other column. */
export function rowReader(
  source: EntityRowSource,
  mapping: Mapping,
  fields: ReadonlySet<EntityField>,
  orderValue: Sql,
): RowReader {
  const parts: { columns: Sql[]; take: (row: EntityRow, values: readonly unknown[]) => void }[] = [
    {
      columns: [textSql(source.dialect, source.column('key')), orderValue],
      take: (row, [key, value]) => {
        row.key = String(key);
        row.orderValue = value === null ? null : exactText(value);
      },
    },
  ];
  for (const field of fields) {
    if (field === 'properties') parts.push(propertiesPart(source, mapping));
    else if (isReadable(source, mapping, field)) parts.push(fieldPart(source, field));
  }
  return {
    columns: parts.flatMap((part) => part.columns),
    read(values, freshness) {
      const row = emptyRow(mapping, freshness);
      let at = 0;
      for (const { columns, take } of parts) {
        take(row, values.slice(at, at + columns.length));
        at += columns.length;
      }
      return row;
    },
  };
}

/** The columns with a name each, by which a surrounding SELECT finds them. */
export function numbered(columns: readonly Sql[]): { named: Sql; names: Sql } {
  const names = columns.map((_, index) => nameSql(`c${index}`));
  return {
    named: joinSql(columns.map((column, index) => sql`${column} AS ${names[index]!}`)),
    names: joinSql(names),
  };
}

function emptyRow({ kind, table, unnamed }: Mapping, freshness: FreshnessOf): EntityRow {
  return {
    kind,
    key: '',
    orderValue: null,
    // A table without a column of names holds one kind of event, and says which by its own name.
    name: kind === 'EVENT' ? (unnamed ?? table.name) : null,
    email: null,
    createdAt: null,
    at: null,
    userKey: null,
    organizationKey: null,
    properties: {},
    freshness,
  };
}

/** Whether the entities have that field: as a column of their own, or through their user. */
function isReadable(
  source: EntityRowSource,
  mapping: Mapping,
  field: Exclude<EntityField, 'properties'>,
): boolean {
  if (mapping.columns[field] !== undefined) return true;
  return field === 'organizationKey' && source.reachesOrganization;
}

function fieldPart(source: RowSource, field: Exclude<EntityField, 'properties'>) {
  const column = source.column(field);
  if (field === 'createdAt' || field === 'at') {
    return {
      columns: [source.dialect.instant(column.sql, column.type)],
      take: (row: EntityRow, [value]: readonly unknown[]) => {
        row[field] = momentOf(value);
      },
    };
  }
  return {
    columns: [textSql(source.dialect, column)],
    take: (row: EntityRow, [value]: readonly unknown[]) => {
      row[field] = (value as string | null) ?? row[field];
    },
  };
}

/** Null for what no calendar reaches, such as infinity. */
function momentOf(value: unknown): Date | null {
  const moment = typeof value === 'string' ? new Date(value) : null;
  return moment === null || Number.isNaN(moment.getTime()) ? null : moment;
}

function exactText(value: unknown): string {
  return typeof value === 'string' ? value : String(value);
}

function propertiesPart(source: RowSource, mapping: Mapping) {
  const names = propertyNames(mapping);
  if (mapping.propertiesColumn !== null) {
    const held = jsonTypeOf(mapping, source.dialect);
    return {
      columns: [source.dialect.cast(nameSql(rows, mapping.propertiesColumn), 'text', held)],
      take: (row: EntityRow, [value]: readonly unknown[]) => {
        row.properties = named(value === null ? {} : jsonOf(value, row), names);
      },
    };
  }
  const read = (names ?? []).map((name) => ({ name, column: source.column(`properties.${name}`) }));
  return {
    columns: read.map(({ column }) => column.sql),
    take: (row: EntityRow, values: readonly unknown[]) => {
      row.properties = Object.fromEntries(
        read.map(({ name, column }, index) => {
          const value = values[index];
          return [name, column.type === 'json' && value !== null ? jsonOf(value, row) : value];
        }),
      );
    },
  };
}

function named(properties: unknown, names: readonly string[] | null): unknown {
  if (names === null || typeof properties !== 'object' || properties === null) return properties;
  const has = names.filter((name) => Object.hasOwn(properties, name));
  return Object.fromEntries(has.map((name) => [name, (properties as Record<string, unknown>)[name]]));
}

/** Numbers that a double cannot hold stay exact, as their digits in a string. */
function jsonOf(text: unknown, row: EntityRow): unknown {
  try {
    return JSON.parse(text as string, exactNumber);
  } catch (error) {
    throw new AppError(
      'BAD_USER_INPUT',
      `The properties of the ${row.kind.toLowerCase()} ${JSON.stringify(row.key)} are not JSON.`,
      { cause: error, fix: 'Map another propertiesColumn, or correct what the table holds.' },
    );
  }
}

function exactNumber(_key: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value;
  const source = context?.source ?? '';
  return /^-?\d+$/.test(source) || !Number.isFinite(value) ? source : value;
}
