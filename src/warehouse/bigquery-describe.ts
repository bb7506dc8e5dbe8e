import { AppError } from '#base/errors.ts';
import type { Desk, DryRun } from './bigquery-query.ts';
import { findTable, kindOf } from './bigquery-tables.ts';
import { bigQueryTokens } from './bigquery-tokens.ts';
import { type ReadRules, readsOfTokens } from './select-reads.ts';
import type { DescribedSelect, TableName } from './warehouse.ts';

const rules: ReadRules = {
  tableFunctions: new Set(['UNNEST']),
  // A name in quotes may hold all its parts.
  partsOf: ({ kind, text, written }) => (kind === 'name' ? text.split('.') : [written ?? text]),
  keyOf: (name) => name.toLowerCase(),
  hasDashes: true,
};

/** So many tables a dry run has named at most: of more, those count too that the texts name. */
const namedMax = 50;

/**
 * The columns of a SELECT and all that it reads, as a dry run says; and the views that it names, and that those name, as their
 * texts say.
 */
export async function describeSelect(desk: Desk, select: string): Promise<DescribedSelect> {
  const run = await desk.dryRun({ sql: select });
  refuseOthers(run);
  const reads = new Map([...run.tables, ...run.views].map((table) => [keyOf(table), table]));
  const { projectId } = desk.rest.login;
  let next = namesIn(select, { database: projectId, schema: desk.settings.dataset });
  for (const table of [...reads.values(), ...next]) refuseInside(table);
  const seen = new Set<string>();
  while (next.length > 0) {
    const fresh = next.filter((table) => !seen.has(keyOf(table)));
    for (const table of fresh) seen.add(keyOf(table));
    const found = await Promise.all(fresh.map((table) => findTable(desk, table)));
    next = [];
    for (const [at, resource] of found.entries()) {
      if (resource === null) continue;
      const table = fresh[at]!;
      const isView = kindOf(resource) === 'VIEW';
      if (isView || run.tables.length >= namedMax) reads.set(keyOf(table), table);
      if (!isView) continue;
      const text = resource.view?.query ?? resource.materializedView?.query ?? '';
      next.push(...namesIn(text, table));
    }
  }
  return { columns: run.columns, reads: [...reads.values()] };
}

/** The tables and views, and perhaps arrays of these, that a text names. */
function namesIn(text: string, home: { database: string; schema: string | undefined }): TableName[] {
  return readsOfTokens(bigQueryTokens(text), rules).flatMap((parts) => {
    const [name = '', schema = home.schema, database = home.database] = parts.toReversed();
    return schema === undefined ? [] : [{ database, schema, name }];
  });
}

function keyOf({ database, schema, name }: TableName): string {
  return JSON.stringify([database, schema, name]);
}

function refuseOthers({ statementType, routines }: DryRun): void {
  if (statementType !== 'SELECT') {
    const what = statementType === 'SCRIPT' ? 'there is more than one statement' : `it is ${statementType}`;
    throw new AppError('BAD_USER_INPUT', `Only a SELECT is allowed here: ${what}.`, {
      fix: 'Give one statement that begins with SELECT or WITH.',
    });
  }
  if (routines.length === 0) return;
  throw new AppError(
    'BAD_USER_INPUT',
    `The SELECT may not call ${routines.join(', ')}: only BigQuery's own functions.`,
    {
      fix: 'Write what it does into the SELECT.',
    },
  );
}

/** What the project says of itself is no data of its tables. */
function refuseInside({ database, schema, name }: TableName): void {
  const isInside =
    [schema, name].some((part) => /^INFORMATION_SCHEMA(\.|$)/i.test(part)) || /^__TABLES/i.test(name);
  if (!isInside) return;
  throw new AppError('BAD_USER_INPUT', `The SELECT may not read ${database}.${schema}.${name}.`, {
    fix: 'Read the tables and columns of the datastore by the query tables.',
  });
}
