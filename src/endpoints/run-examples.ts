import { isDeepStrictEqual } from 'node:util';
import { AppError, InputError, messageOf } from '#base/errors.ts';
import { jsonOfValue } from '#base/json-value.ts';
import type { Warehouse } from '#warehouse/warehouse.ts';
import { toStatement } from '#warehouse/sql.ts';
import type { Declaration, Example } from './declaration.ts';
import { describeQuery } from './describe.ts';
import { paramsOfJson } from './read-params.ts';
import { answerBy } from './run.ts';
import { type Endpoint, endpointOf } from './served.ts';

/** How an example went: what it answered otherwise than expected, a line each. Empty when all was as expected. */
export interface ExampleResult {
  name: string;
  failures: string[];
}

/**
 * Makes the calls of a declaration's examples on an engine, each as a call of the endpoint is made. Fails with InputError
 * when the engine refuses the query.
 */
export async function runExamples(warehouse: Warehouse, declaration: Declaration): Promise<ExampleResult[]> {
  const { columns } = await describeQuery(warehouse, declaration);
  const endpoint = endpointOf({
    id: '',
    projectId: '',
    name: declaration.metadata.name,
    version: declaration.metadata.version,
    state: 'PUBLISHED',
    deprecatedAt: null,
    sunsetAt: null,
    replacement: null,
    updatedAt: new Date(0),
    served: { declaration, columns, tableIds: [], datastore: { id: '', name: '', engine: warehouse.engine } },
  });
  const results: ExampleResult[] = [];
  for (const example of declaration.examples ?? []) {
    results.push({ name: example.name, failures: await failuresOf(warehouse, endpoint, example) });
  }
  return results;
}

type Row = Record<string, unknown>;

async function failuresOf(warehouse: Warehouse, endpoint: Endpoint, example: Example): Promise<string[]> {
  const { expect } = example;
  let rows: Row[];
  try {
    rows = await rowsOf(warehouse, endpoint, example);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return errorFailures(error, expect.error);
  }
  if (expect.error) return [`it answers ${rows.length} rows, and not ${expect.error.code}`];
  const failures: string[] = [];
  const count = expect.count ?? expect.data?.length;
  if (count !== undefined && rows.length !== count)
    failures.push(`it answers ${rows.length} rows, and not ${count}`);
  for (const [index, expected] of (expect.data ?? []).entries()) {
    const row = rows[index];
    if (row) failures.push(...rowFailures(index, row, expected));
  }
  return failures;
}

async function rowsOf(warehouse: Warehouse, endpoint: Endpoint, { params, first }: Example): Promise<Row[]> {
  const { values, problems } = paramsOfJson(endpoint.params, params ?? {});
  if (problems.length > 0) throw new InputError(problems);
  const { rows } = await answerBy(endpoint, { values, page: { first } }, (sql, rowsMax) =>
    warehouse.run(toStatement(sql, warehouse.dialect), { rowsMax, deadlineMs: endpoint.timeoutMs }),
  );
  return rows.map((row) =>
    Object.fromEntries(endpoint.columns.map(({ name }, index) => [name, jsonOfValue(row[index])])),
  );
}

function errorFailures(error: AppError, expected: Example['expect']['error']): string[] {
  if (!expected) return [`it fails with ${error.code}: ${messageOf(error)}`];
  const failures: string[] = [];
  if (error.code !== expected.code)
    failures.push(`it fails with ${error.code}, and not ${expected.code}: ${messageOf(error)}`);
  const blamed = error instanceof InputError ? error.problems.map(({ path }) => path[0]) : [];
  if (expected.param !== undefined && !blamed.includes(expected.param)) {
    failures.push(`it blames ${blamed.join(', ') || 'no parameter'}, and not ${expected.param}`);
  }
  return failures;
}

/** Fields that are not expected may be anything. */
function rowFailures(index: number, row: Row, expected: Row): string[] {
  return Object.entries(expected)
    .filter(([name, value]) => !Object.hasOwn(row, name) || !isDeepStrictEqual(row[name], value))
    .map(([name, value]) => {
      const is = Object.hasOwn(row, name) ? JSON.stringify(row[name]) : 'not there';
      return `row ${index + 1}: ${name} is ${is}, and not ${JSON.stringify(value)}`;
    });
}
