import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

export interface Load {
  url: string;
  headers: Record<string, string>;
  body: string;
  connections: number;
  seconds: number;
}

export interface Loaded {
  answersPerSecond: number;
  /** Of each answer, sorted. */
  ms: number[];
}

/**
 * Posts one request again and again over so many connections, from a thread of its own, so that the server under load
 * keeps its thread for itself. Fails when an answer is none with status 200 and the length of the first.
 */
export async function load(options: Load): Promise<Loaded> {
  const worker = new Worker(new URL(import.meta.url), { workerData: options });
  const [loaded] = (await once(worker, 'message')) as [Loaded];
  await worker.terminate();
  return loaded;
}

async function run({ url, headers, body, connections, seconds }: Load): Promise<Loaded> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const ms: number[] = [];
  let length: number | undefined;
  const post = () =>
    new Promise<void>((resolve, reject) => {
      const startedAt = performance.now();
      const sent = request(url, { method: 'POST', agent, headers }, (response) => {
        let bytes = 0;
        response.on('data', (chunk: Buffer) => (bytes += chunk.length));
        response.on('end', () => {
          length ??= bytes;
          if (response.statusCode !== 200 || bytes !== length) {
            reject(new Error(`Status ${response.statusCode}, ${bytes} bytes instead of ${length}.`));
            return;
          }
          ms.push(performance.now() - startedAt);
          resolve();
        });
      });
      sent.on('error', reject);
      sent.end(body);
    });
  const startedAt = performance.now();
  const endAt = startedAt + seconds * 1000;
  const loop = async () => {
    while (performance.now() < endAt) await post();
  };
  await Promise.all(Array.from({ length: connections }, loop));
  const took = performance.now() - startedAt;
  agent.destroy();
  return { answersPerSecond: (ms.length / took) * 1000, ms: ms.toSorted((one, other) => one - other) };
}

if (!isMainThread) {
  const loaded = await run(workerData as Load);
  // It is a thread that is told, not a window of some origin.
  // oxlint-disable-next-line unicorn/require-post-message-target-origin
  parentPort?.postMessage(loaded);
}
