import { bigQueryTokens } from './bigquery-tokens.ts';

/** The statement with another text in place of each bind; null leaves it as it is. */
export function withBinds(sql: string, textOf: (number: number) => string | null): string {
  let text = '';
  let end = 0;
  for (const { kind, text: bind, index = 0 } of bigQueryTokens(sql)) {
    const made = kind === 'sign' && /^@p\d+$/.test(bind) ? textOf(Number(bind.slice(2))) : null;
    if (made === null) continue;
    text += sql.slice(end, index) + made;
    end = index + bind.length;
  }
  return text + sql.slice(end);
}
