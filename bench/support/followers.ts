import { createInterface } from 'node:readline';
import { WebSocket } from 'ws';

/*
 * The followers of bench/logs.ts, in a process of their own: node followers.ts URL TOKEN TASK COUNT. Says "ready" when
 * all have caught up; when all are complete it reads from stdin when each line was committed, and says what was seen. Every follower checks every line; a message that
 * several have got with the same bytes is parsed once, since in truth each would have a machine of its own to do so.
 */

interface Batch {
  firstSeq: number;
  lastSeq: number;
  count: number;
  caughtUp: boolean;
  /** How many followers got it in which millisecond. */
  arrivals: Map<number, number>;
}

const [url = '', token = '', taskId = '', count = '0'] = process.argv.slice(2);
const followers = Number(count);
const query = `subscription ($taskId: ID!) {
  taskLogs(taskId: $taskId) { lines { seq at level stream message } cursor caughtUp }
}`;

const delayMsMax = 60_000;
const delays = new Float64Array(delayMsMax + 1);
let lines = 0;
let doubled = 0;
let lost = 0;
let bytes = 0;
let caughtUp = 0;
let complete = 0;
const recent: { raw: Buffer; batch: Batch }[] = [];
const batches: Batch[] = [];

function parse(raw: Buffer): Batch {
  const known = recent.find((each) => each.raw.equals(raw));
  if (known) return known.batch;
  const { payload } = JSON.parse(raw.toString('utf8')) as {
    payload: { data: { taskLogs: { lines: { seq: number }[]; caughtUp: boolean } } };
  };
  const { lines: got, caughtUp: isCaughtUp } = payload.data.taskLogs;
  const batch = {
    firstSeq: got[0]?.seq ?? 0,
    lastSeq: got.at(-1)?.seq ?? 0,
    count: got.length,
    caughtUp: isCaughtUp,
    arrivals: new Map<number, number>(),
  };
  batches.push(batch);
  recent.unshift({ raw, batch });
  recent.length = Math.min(recent.length, 20);
  return batch;
}

function follow(): void {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', {
    perMessageDeflate: false,
  });
  let expected = 1;
  let isCaughtUp = false;
  socket.on('open', () => {
    socket.send(JSON.stringify({ type: 'connection_init', payload: { token } }));
  });
  socket.on('error', (error) => {
    throw error;
  });
  socket.on('message', (raw: Buffer) => {
    const kind = raw.subarray(0, 40).toString('latin1');
    if (kind.includes('"connection_ack"')) {
      socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query, variables: { taskId } } }));
    } else if (kind.includes('"next"')) {
      const batch = parse(raw);
      const now = Date.now();
      bytes += raw.length;
      lines += batch.count;
      if (batch.count > 0) {
        if (batch.firstSeq > expected) lost += batch.firstSeq - expected;
        if (batch.firstSeq < expected) doubled += expected - batch.firstSeq;
        if (batch.lastSeq - batch.firstSeq + 1 !== batch.count) lost += 1;
        expected = batch.lastSeq + 1;
        batch.arrivals.set(now, (batch.arrivals.get(now) ?? 0) + 1);
      }
      if (batch.caughtUp && !isCaughtUp) {
        isCaughtUp = true;
        caughtUp += 1;
        if (caughtUp === followers) console.log('ready');
      }
    } else if (raw.includes('"complete"')) {
      complete += 1;
      socket.close();
      if (complete === followers) void report();
    } else {
      throw new Error(raw.toString('utf8').slice(0, 500));
    }
  });
}

/** One write: its last line, and when it was committed, in milliseconds since the epoch. */
type Commit = [lastSeq: number, at: number];

/** Counts each line of each batch from the commit that held it to each arrival. */
function countDelays(commits: Commit[]): void {
  for (const { firstSeq, lastSeq, arrivals } of batches) {
    let from = firstSeq;
    for (const [last, at] of commits) {
      if (last < from || from > lastSeq) continue;
      const held = Math.min(last, lastSeq) - from + 1;
      for (const [arrived, count] of arrivals) {
        const delay = Math.min(Math.max(arrived - at, 0), delayMsMax);
        delays[delay] = (delays[delay] ?? 0) + held * count;
      }
      from += held;
    }
  }
}

async function report(): Promise<void> {
  const { user, system } = process.cpuUsage();
  console.log('complete');
  const { value } = await createInterface(process.stdin)[Symbol.asyncIterator]().next();
  countDelays(JSON.parse(String(value)) as Commit[]);
  process.stdin.destroy();
  const result = {
    lines,
    lost,
    doubled,
    bytes,
    p50: delayAt(0.5),
    p99: delayAt(0.99),
    max: delayAt(1),
    cpuMs: (user + system) / 1_000,
  };
  console.log(JSON.stringify(result));
}

function delayAt(share: number): number {
  let rest = lines * share;
  for (let delay = 0; delay <= delayMsMax; delay += 1) {
    rest -= delays[delay] ?? 0;
    if (rest <= 0) return delay;
  }
  return delayMsMax;
}

for (let at = 0; at < followers; at += 1) follow();
