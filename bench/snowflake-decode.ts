import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { openSnowflake } from '#warehouse/snowflake.ts';
import { startSnowflakeServer } from '../test/support/snowflake-server/start-server.ts';
import { machine, printTable } from './support/table.ts';

/*
 * Rows of 10 columns from the Snowflake of the tests, as Snowflake's own client gives them, as we do, with nothing but
 * JSON.parse, and not even that. Rounds alternate; each reading is a process of its own. The server makes the rows anew for
 * each on the same cores: what it takes is what "nothing" takes, and CPU seconds are those of the reading process alone.
 *
 *   npm run bench -- snowflake-decode
 *   ROWS=10000 ROUNDS=1 npm run bench -- snowflake-decode
 */

const rows = Number(process.env.ROWS ?? 100_000);
const rounds = Number(process.env.ROUNDS ?? 5);

const ways = {
  fetch: 'nothing, the bytes alone',
  parse: 'JSON.parse',
  ours: 'our rows',
  sdk: 'rows of snowflake-sdk',
};
type Way = keyof typeof ways;

interface Reading {
  rows: number;
  ms: number;
  cpuMs: number;
  idleBytes: number;
  peakBytes: number;
}

await using server = await startSnowflakeServer({ database: 'BENCH' });
const login = { ...server.login, password: server.password };
await using warehouse = openSnowflake(login);
await warehouse.run({
  sql: `CREATE TABLE ROWS_OF_TEN AS SELECT n AS ID, n * 7919 % 1000003 AS QTY, CAST(n % 1000 AS NUMBER(12, 2)) AS AMOUNT,
    CAST(n * 7919 % 1000003 AS FLOAT) / 997 AS SCORE, n % 3 = 0 AS ACTIVE, 'name of ' || n AS NAME,
    'a note of some length about the row with the number ' || n AS NOTE,
    DATEADD('MILLISECOND', n * 1000, CAST('2020-01-01 00:00:00.123' AS TIMESTAMP_LTZ)) AS CREATED,
    CAST(DATEADD('MILLISECOND', n % 2000 * 86400000, CAST('2020-01-01' AS TIMESTAMP_NTZ)) AS DATE) AS DAY,
    DATEADD('MILLISECOND', n, CAST('2020-01-01' AS TIMESTAMP_NTZ)) AS SEEN
    FROM (SELECT SEQ8() AS n FROM TABLE(GENERATOR(ROWCOUNT => ${rows}))) AS numbers`,
});

const readings: Record<Way, Reading[]> = { fetch: [], parse: [], ours: [], sdk: [] };
for (let round = 0; round < rounds; round += 1) {
  for (const way of Object.keys(ways) as Way[]) readings[way].push(await readOnce(way));
}
printTable(
  `${rows.toLocaleString('en')} rows of 10 columns, median of ${rounds}, ${machine()}`,
  ['read as', 's', 'rows/s', 'CPU s of the process', 'more memory at the peak, MB'],
  (Object.keys(ways) as Way[]).map((way) => {
    const median = (of: (reading: Reading) => number) =>
      readings[way].map(of).toSorted((one, other) => one - other)[Math.floor(rounds / 2)]!;
    const ms = median((reading) => reading.ms);
    return [
      ways[way],
      (ms / 1000).toFixed(2),
      Math.round((rows / ms) * 1000).toLocaleString('en'),
      (median(({ cpuMs }) => cpuMs) / 1000).toFixed(2),
      String(Math.round(median(({ peakBytes, idleBytes }) => peakBytes - idleBytes) / 1e6)),
    ];
  }),
);

async function readOnce(how: Way): Promise<Reading> {
  const asked = JSON.stringify({ login, how, sql: 'SELECT * FROM ROWS_OF_TEN' });
  const child = spawn(
    process.execPath,
    [...process.execArgv, join(import.meta.dirname, 'support', 'decode-once.ts'), asked],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const [said, [code]] = (await Promise.all([text(child.stdout), once(child, 'exit')])) as [string, [number]];
  if (code !== 0) throw new Error(`Reading as ${how} ended with ${code}.`);
  const reading = JSON.parse(said) as Reading;
  if (reading.rows !== rows) throw new Error(`Reading as ${how} gave ${reading.rows} rows.`);
  return reading;
}
