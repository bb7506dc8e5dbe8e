import { AppError } from '#base/errors.ts';
import type { AnswerPiece } from '#warehouse/warehouse.ts';
import type { Endpoint } from './served.ts';

/** By the columns of the endpoint, and by the rows as they are kept. */
const aligned = new WeakMap<object, WeakMap<object, readonly unknown[][]>>();

/**
 * Rows in the order of the endpoint's columns: since it was published, `SELECT *` may have come to give more, or in another
 * order. The rows themselves where nothing has changed. Fails with CONFLICT when a column is gone.
 */
export function alignRows(
  { name, columns }: Pick<Endpoint, 'name' | 'columns'>,
  { rows, columns: given }: AnswerPiece,
): readonly unknown[][] {
  const isSame =
    given.length === columns.length && columns.every((column, at) => column.name === given[at]!.name);
  if (isSame) return rows;
  const places = columns.map((column) => given.findIndex((each) => each.name === column.name));
  const gone = columns.filter((_, at) => places[at] === -1).map((column) => column.name);
  if (gone.length > 0) {
    throw new AppError('CONFLICT', `The query of "${name}" does not give ${gone.join(', ')} any more.`, {
      fix: 'Whoever owns the endpoint has to change its query, or to publish a new version.',
    });
  }
  const ofColumns = aligned.get(columns) ?? new WeakMap<object, readonly unknown[][]>();
  aligned.set(columns, ofColumns);
  const known = ofColumns.get(rows) ?? rows.map((row) => places.map((place) => row[place]));
  ofColumns.set(rows, known);
  return known;
}
