import { once } from 'node:events';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cli, startCli, untilShown } from '../support/cli.ts';
import { createEmptyDatabase, createTestDatabase, type TestDatabase } from '../support/database.ts';
import {
  eventually,
  freePort,
  signUp,
  startGateway,
  temporaryFolder,
  type Gateway,
} from '../support/gateway.ts';
import { createPipeline, readTask } from '../support/pipeline.ts';

let home: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  home = await temporaryFolder();
});
afterAll(() => home[Symbol.asyncDispose]());

describe('a command line', () => {
  test('that asks for help or the version gets it on standard output, and 0', async () => {
    const help = await cli(['--help']);
    expect(help).toMatchObject({ code: 0, stderr: '' });
    expect(help.stdout).toContain('serve');
    expect(await cli(['--version'])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
    });
    for (const command of ['serve', 'worker', 'migrate', 'demo', 'sync', 'watch', 'query']) {
      const { code, stdout } = await cli([command, '--help']);
      expect([code, stdout.split('\n')[0]]).toEqual([0, expect.stringContaining(`Usage: sluice ${command}`)]);
    }
  });

  test('that cannot be understood gets 2, and what was probably meant on standard error', async () => {
    expect(await cli(['wacth', 'x'])).toEqual({
      code: 2,
      stdout: '',
      stderr: 'There is no command "wacth".\nDid you mean "watch"?\n',
    });
    expect(await cli(['sync', 'x', '--level', 'loud'])).toMatchObject({ code: 2 });
  });

  test('with settings that cannot be used gets all problems at once and 1, without a stack', async () => {
    const { code, stdout, stderr } = await cli(['serve'], {
      SLUICE_PORT: 'x',
      SLUICE_SIGN_UP: 'opne',
      SLUICE_PROT: '1',
    });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    for (const name of ['SLUICE_PORT is "x"', 'SLUICE_SIGN_UP is "opne"', 'SLUICE_PROT is no setting']) {
      expect(stderr).toContain(name);
    }
    expect(stderr).not.toContain('    at ');
  });
});

test('migrate says what it applied, and then that nothing is left to do', async () => {
  await using database = await createEmptyDatabase();
  const env = {
    DATABASE_URL: database.url,
    SLUICE_HOME: join(home.path, 'migrate'),
    SLUICE_LOG_LEVEL: 'warn',
  };
  expect(await cli(['migrate'], env)).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^(Applied \d+_\w+\n)+$/),
  });
  expect(await cli(['migrate'], env)).toMatchObject({ code: 0, stdout: 'The store is up to date.\n' });
});

test('worker without DATABASE_URL says what it needs', async () => {
  const { code, stderr } = await cli(['worker'], { SLUICE_HOME: home.path });
  expect(code).toBe(1);
  expect(stderr).toMatch(/DATABASE_URL, which is not set.\nSet DATABASE_URL/);
});

test('a port that is taken is named, and the process ends with 1', async () => {
  await using database = await createTestDatabase();
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const env = {
    DATABASE_URL: database.url,
    SLUICE_HOME: join(home.path, 'taken'),
    SLUICE_PORT: String(port),
  };
  const { code, stderr } = await cli(['serve'], { ...env, SLUICE_FILES_ROOT: join(home.path, 'files') });
  server.close();
  expect(code).toBe(1);
  expect(stderr).toContain(`Port ${port} of 127.0.0.1 is taken`);
});

test('serve says where it is and how to sign up, has threads enough, and ends with 0 at SIGTERM', async () => {
  await using database = await createTestDatabase();
  const port = await freePort();
  const env = {
    DATABASE_URL: database.url,
    SLUICE_HOME: join(home.path, 'serve'),
    SLUICE_PORT: String(port),
  };
  const serve = startCli(['serve'], { ...env, SLUICE_FILES_ROOT: join(home.path, 'files') });
  await untilShown(serve, 'signUp(input:');
  expect(serve.stdout()).toContain(`Sluice is ready at http://127.0.0.1:${port}/graphql\n`);
  expect(serve.stderr()).not.toContain('UV_THREADPOOL_SIZE');
  const stoppedAt = Date.now();
  serve.child.kill('SIGTERM');
  expect(await serve.ended).toMatchObject({ code: 0 });
  expect(Date.now() - stoppedAt).toBeLessThan(10_000);
});

test('a second signal ends serve at once, even while a request is not over', async () => {
  await using database = await createTestDatabase();
  const port = await freePort();
  const env = {
    DATABASE_URL: database.url,
    SLUICE_HOME: join(home.path, 'twice'),
    SLUICE_PORT: String(port),
  };
  const serve = startCli(['serve'], { ...env, SLUICE_FILES_ROOT: join(home.path, 'files') });
  await untilShown(serve, 'is ready at');
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  await once(socket, 'connect');
  socket.write(
    'POST /graphql HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{',
  );
  await eventually('the request to be taken', async () => {
    const ready = await fetch(`http://127.0.0.1:${port}/health`);
    return ready.ok || undefined;
  });
  serve.child.kill('SIGTERM');
  await untilShown(serve, 'SIGTERM: ending');
  // What comes within half a second is the same press of Ctrl-C, sent on by npm.
  const firstAt = Date.now();
  await eventually('the end', async () => {
    serve.child.kill('SIGTERM');
    return serve.child.exitCode ?? undefined;
  });
  expect(await serve.ended).toMatchObject({ code: 143 });
  expect(Date.now() - firstAt).toBeGreaterThan(400);
  expect(Date.now() - firstAt).toBeLessThan(4_500);
});

describe('of a gateway', () => {
  let database: TestDatabase;
  let gateway: Gateway;
  let env: Record<string, string>;
  let files: string;
  let gatewayOptions: Parameters<typeof startGateway>[0];

  beforeAll(async () => {
    database = await createTestDatabase();
    files = join(home.path, 'files');
    await mkdir(join(files, 'in'), { recursive: true });
    await writeFile(join(files, 'in', 'numbers.csv'), `n,name\n${'1,one\n'.repeat(1000)}`);
    await mkdir(join(files, 'gone'), { recursive: true });
    await writeFile(join(files, 'gone', 'letters.csv'), 'a\nb\n');
    const port = await freePort();
    gatewayOptions = {
      home: join(home.path, 'home'),
      port,
      env: { DATABASE_URL: database.url, SLUICE_FILES_ROOT: files },
    };
    gateway = await startGateway(gatewayOptions);
    await signUp(gateway);
    gatewayOptions = { ...gatewayOptions, token: gateway.token };
    env = { SLUICE_URL: gateway.url, SLUICE_TOKEN: gateway.token! };
  });
  afterAll(async () => {
    await gateway[Symbol.asyncDispose]();
    await database[Symbol.asyncDispose]();
  });

  async function makeJob(folder: string, name: string): Promise<{ id: string; name: string }> {
    const id = await createPipeline(gateway, {
      source: { type: 'files', config: { path: folder } },
      destination: { type: 'parquet', config: { path: `out-${name}` } },
      streams: [{ name: folder === 'in' ? 'numbers' : 'letters', syncMode: 'FULL_REFRESH' }],
    });
    const { job } = await gateway.ask<{ job: { name: string } }>(
      'query ($id: ID!) { job(id: $id) { name } }',
      { id },
    );
    return { id, name: job.name };
  }

  /** The same store and port with no worker: tasks stay QUEUED for as long as the test wants. */
  async function restart(workers: number): Promise<void> {
    await gateway.kill();
    const { env: common, ...options } = gatewayOptions;
    gateway = await startGateway({ ...options, env: { ...common, SLUICE_WORKERS: String(workers) } });
  }

  test('sync starts a job by name or id, shows its streams, and ends with 0 when the task has succeeded', async () => {
    const job = await makeJob('in', 'well');
    for (const which of [job.name, job.id]) {
      const { code, stdout, stderr } = await cli(['sync', which], env);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout).toMatch(/succeeded · 1,000 rows in .*numbers 100% succeeded\n$/);
      expect(stdout).not.toMatch(/[^\P{Cc}\n]/u);
    }
  });

  test('--detach prints the id of the task, which watch then follows with its log', async () => {
    const job = await makeJob('in', 'detached');
    const { code, stdout } = await cli(['sync', job.name, '--detach'], env);
    expect(code).toBe(0);
    const watched = await cli(['watch', stdout.trim(), '--logs'], env);
    expect(watched.code).toBe(0);
    const { logs } = await readTask(gateway, stdout.trim());
    for (const { message } of logs.nodes.filter(({ level }) => level !== 'DEBUG')) {
      expect(watched.stdout.split(message).length - 1).toBe(1);
    }
  });

  test('a task that fails ends the command with 1, and says why', async () => {
    const job = await makeJob('gone', 'failing');
    await rm(join(files, 'gone'), { recursive: true });
    const { code, stderr } = await cli(['sync', job.name], env);
    expect(code).toBe(1);
    expect(stderr).toContain('gone');
    expect(stderr).not.toContain('    at ');
  });

  test('a job that is not there is answered with the one that was probably meant, and 1', async () => {
    const job = await makeJob('in', 'named');
    expect(await cli(['sync', job.name.slice(0, -1)], env)).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/^There is no job ".*" in this project\.\nDid you mean ".*"\?\n$/),
    });
    expect(await cli(['watch', 'nothing'], env)).toMatchObject({ code: 1, stdout: '' });
  });

  test('without a token, or with one that is worth nothing, it says how to get one', async () => {
    const { SLUICE_URL = '' } = env;
    const nobody = await cli(['sync', 'x'], { SLUICE_URL, SLUICE_HOME: home.path });
    expect(nobody).toMatchObject({ code: 1, stderr: expect.stringContaining('Nobody is signed in.') });
    const wrong = await cli(['watch', 'x'], { SLUICE_URL, SLUICE_TOKEN: 'wrong' });
    expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining('unknown, expired or revoked') });
  });

  test('a gateway that is not there is named', async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    const { code, stderr } = await cli(['sync', 'x'], { ...env, SLUICE_URL: url });
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: expect.stringContaining(`The gateway at ${url} cannot be reached`),
    });
  });

  test('the token that the demo left in the home is used', async () => {
    await writeFile(join(home.path, 'token'), `${gateway.token}\n`, { mode: 0o600 });
    const job = await makeJob('in', 'token');
    expect(await cli(['sync', job.name], { SLUICE_URL: gateway.url, SLUICE_HOME: home.path })).toMatchObject({
      code: 0,
    });
  });

  describe('with tasks that wait', () => {
    beforeAll(() => restart(0));
    afterAll(() => restart(2));

    const queuedTask = async (jobId: string) =>
      eventually('the task to be queued', async () => {
        const { job } = await gateway.ask<{ job: { lastTask: { id: string; status: string } | null } }>(
          'query ($id: ID!) { job(id: $id) { lastTask { id status } } }',
          { id: jobId },
        );
        return job.lastTask ?? undefined;
      });

    test('Ctrl-C on sync cancels the task, and the command ends with 130', async () => {
      const job = await makeJob('in', 'canceled');
      const sync = startCli(['sync', job.name], env);
      const { id } = await queuedTask(job.id);
      await untilShown(sync, 'queued');
      sync.child.kill('SIGINT');
      expect(await sync.ended).toMatchObject({ code: 130, stderr: '' });
      expect((await readTask(gateway, id)).status).toBe('CANCELED');
    });

    test('Ctrl-C on watch, or on sync of a job that ran already, only leaves', async () => {
      const job = await makeJob('in', 'left');
      const taskId = (await cli(['sync', job.name, '-d'], env)).stdout.trim();
      for (const args of [
        ['watch', taskId],
        ['sync', job.name],
      ]) {
        const watching = startCli(args, env);
        await untilShown(watching, 'queued');
        watching.child.kill('SIGINT');
        expect(await watching.ended).toMatchObject({
          code: 130,
          stderr: expect.stringContaining(`sluice watch ${taskId}`),
        });
      }
      expect((await readTask(gateway, taskId)).status).toBe('QUEUED');
    });

    test('watch goes on when the gateway was killed and started anew, and misses and repeats no line', async () => {
      const job = await makeJob('in', 'restarted');
      const taskId = (await cli(['sync', job.name, '-d'], env)).stdout.trim();
      const watching = startCli(['watch', taskId, '--level', 'debug'], env);
      await untilShown(watching, 'queued');
      await gateway.kill();
      await untilShown(watching, 'Trying again');
      await restart(2);
      const { code, stdout } = await watching.ended;
      expect(code).toBe(0);
      const { logs } = await readTask(gateway, taskId);
      expect(logs.nodes.length).toBeGreaterThan(2);
      const shown = stdout.split('\n').filter((line) => /^\d\d:\d\d:\d\d\.\d{3} /.test(line));
      expect(shown.map((line) => line.slice(19).trim())).toEqual(
        logs.nodes.map(({ message }) => expect.stringContaining(message)),
      );
    });
  });
});
