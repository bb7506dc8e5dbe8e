import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { newId } from '#base/id.ts';
import { globalId } from '#graphql/global-id.ts';
import { writeTask } from '#pipelines/write-task.ts';
import { type BenchGateway, openBenchGateway } from './support/gateway.ts';
import { machine, printTable, quantile } from './support/table.ts';

/** What the process of followers.ts says at its end. */
interface Seen {
  lines: number;
  lost: number;
  doubled: number;
  bytes: number;
  p50: number;
  p99: number;
  max: number;
  cpuMs: number;
}

/**
 * One task writes `rate` lines a second for `seconds` to `followers` WebSockets of another process. Gateway and writer
 * are this process. The delay of a line is from the commit of its write to its arrival at a follower.
 */
export async function benchLogs(options: {
  followers: number;
  seconds: number;
  rate: number;
}): Promise<void> {
  const { followers, seconds, rate } = options;
  await using gateway = await openBenchGateway();
  const task = await insertRunningTask(gateway);
  const usedBefore = memoryUsed();
  const child = spawn(
    process.execPath,
    [
      join(import.meta.dirname, 'support/followers.ts'),
      gateway.url,
      gateway.token,
      globalId('Task', task.id),
      String(followers),
    ],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  using _stop = { [Symbol.dispose]: () => void child.kill() };
  const said = linesOf(child);
  if ((await said.next()).value !== 'ready') throw new Error('The followers did not begin.');
  const usedConnected = memoryUsed();
  const rssConnected = process.memoryUsage().rss;

  const cpuBefore = process.cpuUsage();
  const startedAt = performance.now();
  const { written, rssPeak, commits, writeMs } = await writeLines(gateway, task, { seconds, rate });
  await writeTask(gateway.app.store.db, {
    taskId: task.id,
    lease: task.lease,
    set: { status: 'SUCCEEDED', finishedAt: new Date() },
  });
  if ((await said.next()).value !== 'complete') throw new Error('The followers did not end.');
  const elapsedMs = performance.now() - startedAt;
  const cpu = process.cpuUsage(cpuBefore);
  child.stdin?.end(`${JSON.stringify(commits)}\n`);
  const seen = JSON.parse(String((await said.next()).value)) as Seen;
  writeMs.sort((one, other) => one - other);

  const perFollower = (bytes: number) => `${Math.round(bytes / followers / 1_024)} KiB`;
  printTable(
    `logs: one task, ${rate} lines/s for ${seconds} s, ${followers} WebSocket followers in another process`,
    ['figure', 'value'],
    [
      ['lines written', written],
      ['lines delivered', seen.lines],
      ['lines lost', written * followers - seen.lines + seen.lost],
      ['lines twice', seen.doubled],
      ['delay behind the write, p50', `${seen.p50} ms`],
      ['delay behind the write, p99', `${seen.p99} ms`],
      ['delay behind the write, longest', `${seen.max} ms`],
      [
        'the write itself, p50 and p99',
        `${quantile(writeMs, 0.5).toFixed(1)} and ${quantile(writeMs, 0.99).toFixed(1)} ms`,
      ],
      ['delivered', `${Math.round(seen.bytes / 2 ** 20 / (elapsedMs / 1_000))} MiB/s`],
      ['memory of the gateway per follower, connected', perFollower(usedConnected - usedBefore)],
      ['memory of the gateway per follower, added at the peak', perFollower(rssPeak - rssConnected)],
      ['memory of the gateway, at the peak', `${Math.round(rssPeak / 2 ** 20)} MiB`],
      [
        'CPU of the gateway and the writer',
        `${((cpu.user + cpu.system) / 1_000 / elapsedMs).toFixed(2)} cores`,
      ],
      ['CPU of the followers', `${(seen.cpuMs / elapsedMs).toFixed(2)} cores`],
      ['machine', machine()],
    ],
  );
}

/** What is in use, and not what was once taken from the system: garbage is collected before, if the process may. */
function memoryUsed(): number {
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

interface BenchTask {
  id: string;
  lease: string;
}

async function insertRunningTask({ app, viewer }: BenchGateway): Promise<BenchTask> {
  const now = new Date();
  const lease = newId();
  const data = {
    projectId: viewer.projectId,
    kind: 'SYNC',
    status: 'RUNNING',
    trigger: 'MANUAL',
    lease,
  } as const;
  const { id } = await app.store.db.task.create({
    data: { ...data, id: newId(), createdAt: now, startedAt: now, heartbeatAt: now },
  });
  return { id, lease };
}

interface Written {
  written: number;
  rssPeak: number;
  /** The last line of each write, and when it was committed, in milliseconds since the epoch. */
  commits: [number, number][];
  writeMs: number[];
}

/** Writes what is due every 20 ms, as a task does that has much to say. */
async function writeLines(
  { app }: BenchGateway,
  task: BenchTask,
  { seconds, rate }: { seconds: number; rate: number },
): Promise<Written> {
  const commits: [number, number][] = [];
  const writeMs: number[] = [];
  const total = seconds * rate;
  const startedAt = performance.now();
  let written = 0;
  let rssPeak = 0;
  while (written < total) {
    const due = Math.min(total, Math.floor(((performance.now() - startedAt) / 1_000) * rate));
    const at = new Date();
    const lines = Array.from({ length: due - written }, (_, each) => ({
      at,
      level: 'INFO' as const,
      stream: 'public.orders',
      message: `read 25,000 rows of part ${written + each + 1}: 281,000 rows/s, 41 MiB`,
    }));
    if (lines.length > 0) {
      const beganAt = performance.now();
      await writeTask(app.store.db, { taskId: task.id, lease: task.lease, set: { beat: true }, lines });
      writeMs.push(performance.now() - beganAt);
      commits.push([due, Date.now()]);
    }
    written = due;
    rssPeak = Math.max(rssPeak, process.memoryUsage().rss);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return { written, rssPeak, commits, writeMs };
}

function linesOf(child: ChildProcess): AsyncIterator<string> {
  if (!child.stdout) throw new Error('The followers cannot be heard.');
  return createInterface(child.stdout)[Symbol.asyncIterator]();
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      followers: { type: 'string', default: '1000' },
      seconds: { type: 'string', default: '20' },
      rate: { type: 'string', default: '1000' },
    },
  });
  await benchLogs({
    followers: Number(values.followers),
    seconds: Number(values.seconds),
    rate: Number(values.rate),
  });
}
