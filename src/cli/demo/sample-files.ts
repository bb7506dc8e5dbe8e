import { randomBytes } from 'node:crypto';
import { access, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { DuckDBInstance } from '@duckdb/node-api';

/** The folder below SLUICE_FILES_ROOT that the demo's files are in. */
export const sampleFolder = 'demo';

const months = ['2026-08', '2026-09', '2026-10'];
const visitsAMonth = 20_000;

/**
 * Writes a CSV file, a compressed one, and a folder of Parquet files, the same wherever they are made. Files that are
 * there stay as they are, so that an incremental sync finds nothing new in them.
 */
export async function prepareSampleFiles(filesRoot: string): Promise<void> {
  const folder = join(filesRoot, sampleFolder);
  await mkdir(join(folder, 'web_visits'), { recursive: true });
  await once(join(folder, 'products.csv'), (path) => writeFile(path, products()));
  await once(join(folder, 'exchange_rates.csv.gz'), (path) => writeFile(path, gzipSync(exchangeRates())));
  for (const [index, month] of months.entries()) {
    await once(join(folder, 'web_visits', `${month}.parquet`), (path) => writeVisits(path, month, index));
  }
}

/** The file appears whole or not at all. */
async function once(path: string, write: (path: string) => Promise<void>): Promise<void> {
  if (await exists(path)) return;
  const draft = `${path}.${randomBytes(4).toString('hex')}.draft`;
  try {
    await write(draft);
    await rename(draft, path);
  } finally {
    await rm(draft, { force: true });
  }
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

function products(): string {
  const kinds = ['Kettle', 'Lamp', 'Notebook', 'Chair', 'Teapot', 'Bicycle'];
  const looks = ['blue', 'oak', 'small', 'folding', 'café', '"Classic"'];
  const rows = Array.from({ length: 36 }, (_, index) => {
    const name = `${kinds[index % 6]}, ${looks[Math.floor(index / 6)]}`;
    const cents = 990 + ((index * 7919) % 20_000);
    const launched = new Date(Date.UTC(2024, 0, 1 + ((index * 37) % 900))).toISOString().slice(0, 10);
    return [`SKU-${1000 + index}`, quoted(name), (cents / 100).toFixed(2), index % 5 !== 0, launched].join(
      ',',
    );
  });
  return ['sku,name,price,in_stock,launched_on', ...rows, ''].join('\n');
}

function quoted(text: string): string {
  return `"${text.replaceAll('"', '""')}"`;
}

function exchangeRates(): string {
  const currencies = [
    ['USD', 1.08],
    ['JPY', 162.4],
    ['SEK', 11.3],
  ] as const;
  const rows = Array.from({ length: 300 }, (_, day) => {
    const date = new Date(Date.UTC(2026, 0, 1 + day)).toISOString().slice(0, 10);
    return currencies.map(([currency, rate]) => `${date},${currency},${(rate * wave(day)).toFixed(4)}`);
  });
  return ['day,currency,per_euro', ...rows.flat(), ''].join('\n');
}

/** Up and down by two in a hundred, by whole numbers only: Math.sin may differ between machines in its last digit. */
function wave(day: number): number {
  const step = day % 80;
  return 0.98 + (step < 40 ? step : 80 - step) / 1000;
}

async function writeVisits(path: string, month: string, index: number): Promise<void> {
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
  try {
    const connection = await instance.connect();
    const first = index * visitsAMonth;
    await connection.run(`
      COPY (
        SELECT n AS visit_id,
          TIMESTAMP '${month}-01' + to_seconds((n - ${first}) * 120 + ${drawn(0)} % 120) AS visited_at,
          ['/', '/pricing', '/docs', '/blog', '/sign-up'][1 + ${drawn(1)} % 5] AS page,
          CASE WHEN ${drawn(2)} % 3 > 0 THEN ['search', 'newsletter', 'partner'][1 + ${drawn(3)} % 3] END AS referrer,
          round(${drawn(4)} % 3000 / 10.0, 1) AS seconds
        FROM range(${first}, ${first + visitsAMonth}) AS numbers(n)
      ) TO '${path.replaceAll("'", "''")}' (FORMAT parquet, COMPRESSION zstd)`);
    connection.closeSync();
  } finally {
    instance.closeSync();
  }
}

/** A number from 0 to 65535 for each n, by arithmetic alone: DuckDB's hash may change with its version. */
function drawn(seed: number): string {
  return `(((n + ${seed * 1_000_003}) * 2654435761) % 4294967296 // 65536)`;
}
