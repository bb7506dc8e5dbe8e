import type { Field } from '#warehouse/bigquery-values.ts';
import { Refusal } from './refusals.ts';
import type { Translated } from './translate.ts';

/** A field of the REST API by the type that the information schema names. */
export function restFieldOf(name: string, type: string, nullable: boolean): Field {
  const [, decimal, precision, scale] = /^(NUMERIC|BIGNUMERIC)\((\d+)(?:, (\d+))?\)$/.exec(type) ?? [];
  if (decimal !== undefined) {
    return { ...restFieldOf(name, decimal, nullable), precision: precision!, ...(scale && { scale }) };
  }
  const [, item] = /^ARRAY<(.*)>$/.exec(type) ?? [];
  if (item !== undefined) return { ...restFieldOf(name, item, true), mode: 'REPEATED' };
  const old: Record<string, string> = { INT64: 'INTEGER', FLOAT64: 'FLOAT', BOOL: 'BOOLEAN' };
  return { name, type: old[type] ?? type, mode: nullable ? 'NULLABLE' : 'REQUIRED' };
}

/** A name as DuckDB writes it; behind it there may be another that it is known by. */
export function partsOf(written: string): string[] {
  const parts: string[] = [];
  const part = /(?:"((?:[^"]|"")*)"|([^\s."]+))(\.?)/y;
  for (let match = part.exec(written); match; match = part.exec(written)) {
    parts.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? '');
    if (match[3] === '') break;
  }
  return parts;
}

export function typeOf({ tokens }: Translated): string {
  const first = tokens.find(({ text }) => text !== '(')?.text ?? '';
  if (first === 'SELECT' || first === 'WITH') return 'SELECT';
  const what = tokens.find(({ text }) =>
    ['TABLE', 'VIEW', 'SCHEMA', 'FUNCTION', 'TRANSACTION'].includes(text),
  );
  return ['CREATE', 'DROP', 'ALTER', 'BEGIN', 'COMMIT', 'ROLLBACK'].includes(first)
    ? `${first}_${what?.text ?? 'TRANSACTION'}`
    : first;
}

/** The names of the columns of a result. Fails for those that BigQuery does not take; what has none is f0_, f1_ and so on. */
export function namesOf(columns: readonly string[], { tokens }: Translated): string[] {
  const written = new Set(tokens.map(({ text, written: word }) => word ?? text));
  const isOfStar = written.has('*');
  const seen = new Set<string>();
  return columns.map((column, at) => {
    const isNamed = written.has(column) || (isOfStar && /^[\w -]+$/.test(column));
    const name = isNamed ? column : `f${at}_`;
    if (/[!"$()*,./;?@[\]^`{}~\\]/.test(name)) {
      throw new Refusal(400, 'invalidQuery', `Invalid field name "${name}".`);
    }
    if (seen.has(name.toLowerCase())) {
      const message = `Duplicate column names in the result are not supported. Found duplicate(s): ${name}`;
      throw new Refusal(400, 'invalidQuery', message);
    }
    seen.add(name.toLowerCase());
    return name;
  });
}
