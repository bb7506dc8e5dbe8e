import { AppError } from '#base/errors.ts';
import { Prisma } from '#generated/prisma/client.ts';
import type { EntityKind } from '#generated/prisma/enums.ts';
import { escapeLike } from './lists.ts';

/** More words than this between dots are no fqn: there would be too many ways to cut it. */
const fqnWordsMax = 10;

/** The fqn of the table named c, in SQL. */
const fqnSql = Prisma.sql`concat_ws('.', (SELECT d.name FROM datastore d WHERE d.id = c.datastore_id), c.database, c.schema, c.name)`;

/** The columns of the table named c, as rows of JSON. */
export const columnsSql = Prisma.sql`jsonb_array_elements(c.columns)`;

/**
 * The condition on the table named c that a search asks for: its fqn, its words, a tag or the name of a column hold the text,
 * in any case. There is no index for it: tables are walked in the order of the list until its page is full, all of them when
 * none holds it, which takes 0.3 s for 10,000 tables of 50 columns.
 */
export function tableHolds(search: string): Prisma.Sql {
  const text = likeOf(search);
  return Prisma.sql`(${fqnSql} ILIKE ${text} OR c.description ILIKE ${text}
    OR EXISTS (SELECT 1 FROM unnest(c.tags) AS tag WHERE tag ILIKE ${text})
    OR EXISTS (SELECT 1 FROM ${columnsSql} AS col(value) WHERE col.value ->> 'name' ILIKE ${text}))`;
}

/** The same for one of its columns, named col, with its datastore named d: the column's fqn or its words hold the text. */
export function columnHolds(search: string): Prisma.Sql {
  const text = likeOf(search);
  return Prisma.sql`(concat_ws('.', d.name, c.database, c.schema, c.name, col.value ->> 'name') ILIKE ${text} OR col.value ->> 'description' ILIKE ${text})`;
}

/** The condition that the rows of the table named c stand for entities of that kind. */
export function isMappedTo(kind: EntityKind): Prisma.Sql {
  return Prisma.sql`EXISTS (
    SELECT 1 FROM entity_mapping m
    WHERE m.table_id = c.id AND m.project_id = c.project_id AND m.kind = ${kind}::"EntityKind")`;
}

/**
 * The tables that a fqn may mean: names may hold dots themselves, so that every way to cut it in four is tried. Fails with
 * BAD_USER_INPUT for what is no fqn, such as the end of one.
 */
export function whereFqn(fqn: string): object {
  const words = fqn.split('.');
  if (words.length < 4) throw noFqn(fqn, 'table');
  // An empty OR is no condition to Prisma: it would give any table.
  if (words.length > fqnWordsMax) return { id: { in: [] } };
  const join = (from: number, to?: number) => words.slice(from, to).join('.');
  const ways: object[] = [];
  for (let a = 1; a < words.length - 2; a++) {
    for (let b = a + 1; b < words.length - 1; b++) {
      for (let c = b + 1; c < words.length; c++) {
        ways.push({
          datastore: { name: join(0, a) },
          database: join(a, b),
          schema: join(b, c),
          name: join(c),
        });
      }
    }
  }
  return { OR: ways };
}

/** The ways to cut the fqn of a column in that of its table and its name. Fails with BAD_USER_INPUT for what is no fqn. */
export function columnFqns(fqn: string): { table: string; column: string }[] {
  const words = fqn.split('.');
  if (words.length < 5) throw noFqn(fqn, 'column');
  if (words.length > fqnWordsMax) return [];
  return Array.from({ length: words.length - 4 }, (_, index) => ({
    table: words.slice(0, index + 4).join('.'),
    column: words.slice(index + 4).join('.'),
  }));
}

function noFqn(given: string, of: 'table' | 'column'): AppError {
  const whole = `datastore.database.schema.table${of === 'column' ? '.column' : ''}`;
  return new AppError('BAD_USER_INPUT', `${JSON.stringify(given.slice(0, 200))} is not the fqn of a ${of}.`, {
    fix: `Write ${whole}, as the field fqn of a ${of} gives it.`,
  });
}

function likeOf(search: string): string {
  return `%${escapeLike(search)}%`;
}
