import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { describe, expect, test } from 'vitest';
import { AppError } from '#base/errors.ts';
import { ConnectionLost, type GatewayClient } from '#cli/client.ts';
import { taskLogs } from '#cli/documents.ts';
import { followTask, type TaskEvent } from '#cli/follow-task.ts';

type Step = { lines: string[]; cursor: string } | { status: string } | Error;

/** A gateway whose subscriptions play a script each time they are asked for; the last one is played for ever. */
function scripted(script: { task: Step[][]; logs: Step[][] }) {
  const asked: unknown[] = [];
  const client: GatewayClient = {
    url: 'http://gateway',
    ask: () => Promise.reject(new Error('nothing is asked')),
    async *follow<Data, Variables extends object>(
      document: TypedDocumentNode<Data, Variables>,
      variables: Variables,
      signal: AbortSignal,
    ): AsyncGenerator<Data> {
      const isLog = (document as unknown) === taskLogs;
      if (isLog) asked.push((variables as { after?: unknown }).after);
      const scripts = isLog ? script.logs : script.task;
      const steps = scripts.length > 1 ? scripts.shift()! : scripts[0]!;
      for (const step of steps) {
        await Promise.resolve();
        if (signal.aborted) return;
        if (step instanceof Error) throw step;
        yield eventOf(step) as Data;
      }
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  return { client, asked };
}

function eventOf(step: Exclude<Step, Error>): object {
  if ('status' in step) return { taskUpdated: { status: step.status } as TaskEvent };
  const lines = step.lines.map((message) => ({ at: '', level: 'INFO', stream: null, message }));
  return { taskLogs: { cursor: step.cursor, lines } };
}

async function follow(client: GatewayClient, signal = new AbortController().signal) {
  const states: string[] = [];
  const lines: string[] = [];
  const lost: string[] = [];
  const follower = {
    changed: (task: TaskEvent) => void states.push(task.status),
    logs: { minLevel: 'INFO' as const, line: (line: { message: string }) => void lines.push(line.message) },
    lost: (reason: string) => void lost.push(reason),
  };
  const last = await followTask(client, 't', follower, signal);
  return { last: last?.status, states, lines, lost };
}

const broken = new ConnectionLost('http://gateway', 'closed');

describe('a task is followed to its end', () => {
  test('with its log', async () => {
    const { client } = scripted({
      task: [[{ status: 'RUNNING' }, { status: 'SUCCEEDED' }]],
      logs: [
        [
          { lines: ['a', 'b'], cursor: '2' },
          { lines: ['c'], cursor: '3' },
        ],
        [],
      ],
    });
    expect(await follow(client)).toEqual({
      last: 'SUCCEEDED',
      states: ['RUNNING', 'SUCCEEDED'],
      lines: ['a', 'b', 'c'],
      lost: [],
    });
  });

  test('through lost connections, the log from the cursor on', async () => {
    const { client, asked } = scripted({
      task: [[{ status: 'RUNNING' }, broken], [broken], [{ status: 'FAILED' }]],
      logs: [[{ lines: ['a'], cursor: '1' }, broken], [broken], [{ lines: ['b'], cursor: '2' }], []],
    });
    const seen = await follow(client);
    expect(seen).toMatchObject({ last: 'FAILED', lines: ['a', 'b'], lost: [broken.message] });
    expect(asked.slice(0, 3)).toEqual([null, '1', '1']);
  });

  test('through a gateway that ends its subscriptions to restart', async () => {
    const { client, asked } = scripted({
      task: [[{ status: 'RUNNING' }], [{ status: 'CANCELED' }]],
      logs: [[{ lines: ['a'], cursor: '1' }], [{ lines: ['b'], cursor: '2' }]],
    });
    expect(await follow(client)).toMatchObject({ last: 'CANCELED', lines: ['a', 'b'] });
    expect(asked).toEqual([null, '1']);
  });
});

test('a refusal ends it at once', async () => {
  const { client } = scripted({ task: [[new AppError('NOT_FOUND', 'There is no such task.')]], logs: [[]] });
  await expect(follow(client)).rejects.toMatchObject({ code: 'NOT_FOUND' });
});

test('a follower that leaves gets no last state', async () => {
  const { client } = scripted({ task: [[{ status: 'RUNNING' }]], logs: [[]] });
  expect(await follow(client, AbortSignal.timeout(20))).toMatchObject({ last: undefined });
});
