import type { Token } from '#warehouse/select-reads.ts';

const words = (text: string) => text.split(/\s+/).filter(Boolean);

/** Functions that Snowflake has. DuckDB has many more, and would let SQL pass that is none of Snowflake's. */
const functions = new Set(
  words(`ABS ANY_VALUE ARRAY_AGG ARRAY_CONSTRUCT ARRAY_SIZE AS_VARCHAR AVG BASE64_ENCODE BITAND BITOR BITXOR BITXOR_AGG CAST CEIL
    COALESCE CONCAT CONTAINS COUNT COUNT_IF CURRENT_DATABASE CURRENT_DATE CURRENT_ROLE CURRENT_SCHEMA CURRENT_TIMESTAMP DATEADD
    DATEDIFF DATE_PART DATE_TRUNC DENSE_RANK ENDSWITH EXTRACT FIRST_VALUE FLATTEN FLOOR GENERATOR GET GREATEST HASH HASH_AGG
    HEX_DECODE_BINARY HEX_ENCODE IFF LAG LAST_QUERY_ID LAST_VALUE LEAD LEAST LEFT LENGTH LISTAGG LOWER LPAD LTRIM MAX MD5 MEDIAN MIN MOD
    MONTH NULLIF NVL OBJECT_CONSTRUCT PARSE_JSON PERCENTILE_CONT POWER QUARTER RANDOM RANK REPLACE RESULT_SCAN RIGHT ROUND ROW_NUMBER
    RPAD RTRIM SEQ4 SEQ8 SHA1 SHA2 SIGN SPLIT SPLIT_TO_TABLE SQRT STARTSWITH STDDEV SUBSTR SUM SYSTEM$WAIT TO_BINARY TO_BOOLEAN TO_CHAR
    TO_DATE TO_DECIMAL TO_DOUBLE TO_JSON TO_NUMBER TO_TIME TO_TIMESTAMP TO_TIMESTAMP_LTZ TO_TIMESTAMP_NTZ TO_TIMESTAMP_TZ TO_VARCHAR
    TO_VARIANT TRIM TRY_CAST TRY_PARSE_JSON TRY_TO_DATE TRY_TO_DECIMAL TRY_TO_DOUBLE TRY_TO_NUMBER TRY_TO_TIMESTAMP TYPEOF UPPER
    UUID_STRING YEAR`),
);

/** Words of its grammar, and types, that a parenthesis may follow. */
const others = new Set(
  words(`ALL AND ANY AS BETWEEN BINARY BY CASE CLUSTER DECIMAL DISTINCT ELSE EXCEPT EXISTS FROM GROUP HAVING IN INSERT INTERSECT
    INTO JOIN LATERAL LIKE LIMIT MATERIALIZED MINUS NOT NUMBER ON OR ORDER OVER PARTITION PIVOT QUALIFY SELECT SET TABLE THEN
    TIME TIMESTAMP_LTZ TIMESTAMP_NTZ TIMESTAMP_TZ UNION UPDATE USING VALUES VARCHAR WHEN WHERE WITH`),
);

/** After these a word is a name: its parenthesis holds columns. */
const naming = new Set(words('AS INTO TABLE VIEW WITH RECURSIVE . ,'));

/** The first function of the statement that Snowflake does not have; undefined for none. */
export function unknownFunction(tokens: readonly Token[]): string | undefined {
  const found = tokens.find(({ kind, text }, at) => {
    const isCall = kind === 'word' && tokens[at + 1]?.kind === 'sign' && tokens[at + 1]?.text === '(';
    return isCall && !functions.has(text) && !others.has(text) && !isName(tokens, at);
  });
  return found?.text;
}

/** name AS (…, WITH name (…) AS, AS name (…), INSERT INTO name (…). */
function isName(tokens: readonly Token[], at: number): boolean {
  const before = tokens[at - 1]?.text ?? '';
  // After a comma it is a name only where AS follows its columns.
  if (before !== ',') return naming.has(before);
  const closing = tokens.findIndex(({ text }, after) => after > at && text === ')');
  return tokens[closing + 1]?.text === 'AS' && tokens[closing + 2]?.text === '(';
}
