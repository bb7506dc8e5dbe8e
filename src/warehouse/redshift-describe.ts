import { randomBytes } from 'node:crypto';
import { AppError } from '#base/errors.ts';
import { stagingPrefix } from './duckdb-tables.ts';
import { type RunInside, harmless, reading, refusedFunction, refusedRead } from './postgres-describe.ts';
import { quoteName, type DescribedSelect, type ResultColumn, type TableName } from './warehouse.ts';

interface Relation extends TableName {
  oid: number;
  isView: boolean;
}

/**
 * The columns of a SELECT and all that it reads, as Warehouse.describe says. A view is made of it in the transaction that is
 * open, where nothing is run, and goes with that. What the server has understood is read from its rules here, since the
 * server itself has no function that could.
 */
export async function describeRedshiftSelect(
  run: RunInside,
  select: string,
  schema = 'public',
): Promise<DescribedSelect> {
  const view = `${stagingPrefix}${randomBytes(8).toString('hex')}`;
  const name = `${quoteName(schema)}.${quoteName(view)}`;
  await run({ sql: `CREATE VIEW ${name} AS\n${select}\n` });
  const [[oid]] = (await run({
    sql: `SELECT CAST(c.oid AS BIGINT) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = $1 AND c.relname = $2`,
    binds: [schema, view],
  })) as [[bigint]];
  const columns = (await run({
    sql: `SELECT CAST(attname AS VARCHAR(128)), format_type(atttypid, atttypmod) FROM pg_attribute
      WHERE attrelid = ${oid} AND attnum > 0 AND NOT attisdropped ORDER BY attnum`,
  })) as [string, string][];
  const reads = await readsOf(run, Number(oid));
  await run({ sql: `DROP VIEW ${name}` });
  return { columns: columns.map(([column, dataType]): ResultColumn => ({ name: column, dataType })), reads };
}

async function readsOf(run: RunInside, described: number): Promise<TableName[]> {
  const found = new Map<number, Relation>();
  let next = [described];
  let isFirst = true;
  while (next.length > 0) {
    const rules = (await run({
      // Not cast: a text that is cast to TEXT may be cut off after 256 bytes.
      sql: `SELECT ev_action FROM pg_rewrite WHERE ev_class IN (${next.join(', ')})`,
    })) as [string][];
    const text = rules.map(([rule]) => rule).join('\n');
    if (isFirst)
      await refuseFunctions(run, oidsIn(text, /:(?:funcid|opfuncid|aggfnoid|winfnoid) ([1-9]\d*)/g));
    isFirst = false;
    const oids = oidsIn(text, /:relid ([1-9]\d*)/g).filter((oid) => oid !== described && !found.has(oid));
    const relations = oids.length === 0 ? [] : await relationsOf(run, oids);
    for (const relation of relations) found.set(relation.oid, relation);
    next = relations.filter(({ isView }) => isView).map(({ oid }) => oid);
  }
  return [...found.values()]
    .map(({ database, schema, name }) => ({ database, schema, name }))
    .sort((one, other) => (`${one.schema}\0${one.name}` < `${other.schema}\0${other.name}` ? -1 : 1));
}

function oidsIn(rules: string, pattern: RegExp): number[] {
  return [...new Set([...rules.matchAll(pattern)].map(([, oid]) => Number(oid)))];
}

async function relationsOf(run: RunInside, oids: readonly number[]): Promise<Relation[]> {
  const rows = (await run({
    sql: `SELECT CAST(c.oid AS BIGINT), current_database(), CAST(n.nspname AS VARCHAR(128)), CAST(c.relname AS VARCHAR(128)),
        CAST(c.relkind AS VARCHAR(1)), CASE WHEN c.relkind = 'v' THEN pg_get_viewdef(c.oid) END
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid IN (${oids.join(', ')})`,
  })) as [bigint, string, string, string, string, string | null][];
  return rows.map(([oid, database, schema, name, kind, definition]) => {
    if (schema.startsWith('pg_') || schema === 'information_schema') throw refusedRead(schema, name);
    if (/with no schema binding/i.test(definition ?? '')) {
      const message = `The SELECT reads "${schema}"."${name}", a late-binding view: what that reads is not known.`;
      throw new AppError('BAD_USER_INPUT', message, {
        fix: 'Read the tables behind it, or make it without WITH NO SCHEMA BINDING.',
      });
    }
    return { oid: Number(oid), database, schema, name, isView: kind === 'v' };
  });
}

/** What a function of somebody reads is seen by nobody, unless it says that it reads nothing: IMMUTABLE. */
async function refuseFunctions(run: RunInside, oids: readonly number[]): Promise<void> {
  if (oids.length === 0) return;
  const rows = (await run({
    sql: `SELECT CAST(p.proname AS VARCHAR(128)), CAST(n.nspname AS VARCHAR(128)), CAST(p.provolatile AS VARCHAR(1))
      FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE p.oid IN (${oids.join(', ')}) ORDER BY 1`,
  })) as [string, string, string][];
  const isReading = new RegExp(reading);
  for (const [name, schema, volatility] of rows) {
    const isOwn = schema === 'pg_catalog';
    const isRefused = isOwn
      ? (volatility === 'v' && !harmless.includes(name)) || isReading.test(name)
      : volatility !== 'i';
    if (isRefused) throw refusedFunction(name, isOwn);
  }
}
