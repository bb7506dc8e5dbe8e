import { joinSql, type Sql, sql } from './sql.ts';

/**
 * The texts as one that is equal for equal texts alone: each behind its length, so that it says where the next begins, and a
 * hyphen for NULL. `lengthOf` gives the length of a text, as text.
 */
export function joinedTexts(texts: readonly Sql[], lengthOf: (text: Sql) => Sql): Sql {
  return joinSql(
    texts.map((text) => sql`coalesce(${lengthOf(text)} || ':' || ${text}, '-')`),
    ' || ',
  );
}
