import { performance } from 'node:perf_hooks';
import snowflake from 'snowflake-sdk';
import { SnowflakeSession } from '#warehouse/snowflake-session.ts';
import { openSnowflake, type SnowflakeOptions } from '#warehouse/snowflake.ts';

/** One reading of one answer in a process of its own, so that its peak of memory is its own; the answer is one line of JSON. */
interface Asked {
  login: SnowflakeOptions;
  sql: string;
  how: 'fetch' | 'parse' | 'ours' | 'sdk';
}

interface Chunk {
  url: string;
  rowCount: number;
}

const { login, sql, how } = JSON.parse(process.argv[2]!) as Asked;

/** Everything that each way does before it asks: what is measured is one answer in an open session. */
const readers: Record<Asked['how'], () => Promise<() => Promise<number>>> = {
  fetch: () =>
    overChunks(async (url, headers) => (await (await fetch(url, { headers })).arrayBuffer()).byteLength),
  parse: () =>
    overChunks(async (url, headers) => {
      const rows = JSON.parse(`[${await (await fetch(url, { headers })).text()}]`) as unknown[];
      return rows.length;
    }),
  async ours() {
    const warehouse = openSnowflake(login);
    await warehouse.run({ sql: 'SELECT 1' });
    return async () => {
      let count = 0;
      for await (const { rows } of warehouse.stream({ sql }, { deadlineMs: 300_000 })) count += rows.length;
      await warehouse[Symbol.asyncDispose]();
      return count;
    };
  },
  async sdk() {
    const connection = await connect();
    return async () => {
      const { promise, resolve, reject } = Promise.withResolvers<snowflake.RowStatement>();
      connection.execute({
        sqlText: sql,
        streamResult: true,
        complete: (error, statement) => (error ? reject(error) : resolve(statement)),
      });
      let count = 0;
      for await (const row of (await promise).streamRows()) if (row) count += 1;
      return count;
    };
  },
};

/** Asks by the protocol, and takes each chunk in its turn. */
async function overChunks(take: (url: string, headers: Record<string, string>) => Promise<number>) {
  const session = new SnowflakeSession(login);
  const { signal } = new AbortController();
  const ask = (sqlText: string) =>
    session.send('POST', `/queries/v1/query-request?requestId=${crypto.randomUUID()}`, { sqlText }, signal);
  await ask('SELECT 1');
  return async () => {
    let reply = await ask(sql);
    while (reply.code === '333333' || reply.code === '333334') {
      reply = await session.send('GET', String(reply.data?.['getResultUrl']), undefined, signal);
    }
    const { chunks, qrmk } = reply.data as { chunks: Chunk[]; qrmk: string };
    const headers = { 'x-amz-server-side-encryption-customer-key': qrmk };
    let taken = 0;
    for (const { url } of chunks) taken += await take(url, headers);
    await session[Symbol.asyncDispose]();
    return how === 'fetch' ? chunks.reduce((sum, { rowCount }) => sum + rowCount, 0) : taken;
  };
}

async function connect(): Promise<snowflake.Connection> {
  snowflake.configure({ logLevel: 'OFF', additionalLogToConsole: false });
  const { url, account, username, password, warehouse, database } = login;
  const connection = snowflake.createConnection({
    accessUrl: url,
    account,
    username,
    password: password!,
    warehouse,
    database,
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  connection.connect((error) => (error ? reject(error) : resolve()));
  await promise;
  return connection;
}

const read = await readers[how]();
const idleBytes = process.memoryUsage.rss();
const { userCPUTime, systemCPUTime } = process.resourceUsage();
const startedAt = performance.now();
const rows = await read();
const ms = performance.now() - startedAt;
const usage = process.resourceUsage();
const cpuMs = (usage.userCPUTime + usage.systemCPUTime - userCPUTime - systemCPUTime) / 1000;
const answer = { rows, ms, cpuMs, idleBytes, peakBytes: usage.maxRSS * 1024 };
process.stdout.write(`${JSON.stringify(answer)}\n`, () => process.exit(0));
