import { ConnectorError, type StreamSelection } from '#connectors/contract.ts';
import type { SourceColumn } from './relations.ts';

/** The selected columns, those of `asText` as text. Fails with SCHEMA for one that is gone. */
export function selectColumns(
  { what, columns }: { what: string; columns: readonly SourceColumn[] },
  { selectedColumns }: StreamSelection,
  asText: readonly string[],
): SourceColumn[] {
  const names = selectedColumns ?? columns.map((column) => column.name);
  const missing = names.filter((name) => !columns.some((column) => column.name === name));
  if (missing.length > 0) {
    const said = missing.map((name) => `"${name}"`).join(', ');
    throw new ConnectorError('SCHEMA', `${what} has no column ${said} any more.`, {
      fix: 'Discover the streams of the source again and change selectedColumns.',
    });
  }
  return columns
    .filter((column) => names.includes(column.name))
    .map((column) =>
      asText.includes(column.name)
        ? {
            ...column,
            type: { kind: 'text' },
            asTextBecause: column.asTextBecause ?? `a value of ${column.dataType} fits no exact type`,
          }
        : column,
    );
}
