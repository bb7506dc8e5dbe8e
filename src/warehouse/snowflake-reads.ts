import { type ReadRules, readsOfTokens, refusedRead, type Token } from './select-reads.ts';
import { tokensOf } from './snowflake-tokens.ts';

const rules: ReadRules = {
  tableFunctions: new Set(['FLATTEN', 'GENERATOR', 'SPLIT_TO_TABLE', 'STRTOK_SPLIT_TO_TABLE']),
  partsOf: ({ text }) => [text],
  keyOf: (name) => name,
  hasDashes: false,
};

/**
 * The names under which a SELECT reads tables and views, each with one to three parts, read from its text; those that WITH
 * gives are none. Fails with BAD_USER_INPUT where it reads from a stage, a function that is not one of values, or the like.
 */
export function readsOf(select: string): string[][] {
  const tokens = tokensOf(select);
  refuseCalls(tokens);
  return readsOfTokens(tokens, rules);
}

/** Functions over values that look into the account, or change it. */
function refuseCalls(tokens: readonly Token[]): void {
  for (const [at, token] of tokens.entries()) {
    const isCall = token.kind === 'word' && tokens[at + 1]?.text === '(';
    if (isCall && token.text.startsWith('SYSTEM$')) throw refusedRead(token, rules);
    const isNext = token.text === 'NEXTVAL' && tokens[at - 1]?.text === '.';
    if (isNext) throw refusedRead(token, rules);
  }
}
