import { AppError, type Problem, type ProblemCode } from '#base/errors.ts';
import { propertyFilterSql } from '#catalog/filter-sql.ts';
import type { RowSource } from '#catalog/row-source.ts';
import type { SimpleDefinition } from './definition.ts';
import { measuredSql, timeOf } from './leaf-sql.ts';
import { type Ground, type Rows, rowsOf } from './rows.ts';

const at = (...path: string[]) => ['definition', 'simple', ...path];

/** What is wrong with a SIMPLE definition: all of it at once, as far as its rows are known. */
export function checkSimple(ground: Ground, simple: SimpleDefinition): Problem[] {
  const problems = [...checkPlace(simple), ...checkMeasure(simple)];
  const missing = ground.missing.get(simple.table ?? '');
  if (missing) problems.push(missing);
  if (problems.some(({ path }) => ['entity', 'table'].includes(path[2] ?? ''))) return problems;
  // Without a time the rows are still known, and whatever else is wrong with them.
  const placed = attempt(at(simple.entity == null ? 'table' : 'entity'), () =>
    rowsOf(ground, { ...simple, time: simple.time ?? (simple.entity == null ? '' : null) }),
  );
  if ('problem' in placed) return [...problems, placed.problem];
  return [...problems, ...checkColumns(placed.value, simple)];
}

function checkPlace({ entity, table, time }: SimpleDefinition): Problem[] {
  if (entity != null && table != null) {
    return [
      invalid(at('table'), 'Both entity and table are given; the rows are of one of them.', 'Leave one out.'),
    ];
  }
  if (entity == null && table == null) {
    return [
      invalid(at('entity'), 'Neither entity nor table is given.', 'Say where the rows are.', 'REQUIRED'),
    ];
  }
  if (table == null || (time != null && time !== '')) return [];
  const message = 'The time of a table is missing: the column that grains cut.';
  return [invalid(at('time'), message, 'Name a column that holds a date or a timestamp.', 'REQUIRED')];
}

function checkMeasure({ measure: { aggregation, column, percentile } }: SimpleDefinition): Problem[] {
  const problems: Problem[] = [];
  if (column == null && aggregation !== 'COUNT') {
    const message = `${aggregation} measures a column, and none is given.`;
    problems.push(invalid(at('measure', 'column'), message, 'Name it; COUNT alone counts rows.', 'REQUIRED'));
  }
  if (aggregation === 'PERCENTILE') {
    if (percentile == null || !(percentile >= 0 && percentile <= 1)) {
      const message = `The percentile is ${percentile ?? 'missing'}; 0 to 1 are allowed.`;
      problems.push(invalid(at('measure', 'percentile'), message, 'Give 0.95 for the 95th.'));
    }
  } else if (percentile != null) {
    const message = `${aggregation} takes no percentile.`;
    problems.push(invalid(at('measure', 'percentile'), message, 'Leave it out, or use PERCENTILE.'));
  }
  return problems;
}

function checkColumns(rows: Rows, simple: SimpleDefinition): Problem[] {
  const { measure, filter, dimensions, time } = simple;
  const source = rows.open();
  const problems: Problem[] = [];
  const check = (path: string[], make: () => unknown) => {
    const made = attempt(path, make);
    if ('problem' in made) problems.push(made.problem);
  };
  if (rows.time !== '') check(at(time == null ? 'entity' : 'time'), () => timeOf(source, rows));
  if (measure.column != null) {
    check(at('measure', 'column'), () =>
      measuredSql(source, { aggregation: measure.aggregation, column: measure.column ?? null }),
    );
  }
  for (const [index, each] of (filter ?? []).entries()) {
    check(at('filter', String(index)), () => propertyFilterSql(source, [each]));
  }
  for (const [index, path] of (dimensions ?? []).entries()) {
    const isTwice = dimensions!.indexOf(path) < index;
    if (isTwice)
      problems.push(
        invalid(at('dimensions', String(index)), `"${path}" stands there twice.`, 'Leave one out.'),
      );
    else check(at('dimensions', String(index)), () => source.column(path));
  }
  return [...problems, ...joinProblems(at(rows.entity === null ? 'table' : 'entity'), source)];
}

/** What keeps the tables that the columns of a source come from, such as aliases, from being joined. */
export function joinProblems(path: readonly string[], source: RowSource): Problem[] {
  const joined = attempt(path, () => source.from());
  return 'problem' in joined ? [joined.problem] : [];
}

/** What was made, or the AppError that kept it from being made, as a problem at that path. */
export function attempt<T>(path: readonly string[], make: () => T): { value: T } | { problem: Problem } {
  try {
    return { value: make() };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return { problem: { code: 'INVALID', path, message: error.message, fix: error.fix } };
  }
}

export function invalid(
  path: readonly string[],
  message: string,
  fix: string,
  code: ProblemCode = 'INVALID',
): Problem {
  return { code, path, message, fix };
}
