import { AppError } from '#base/errors.ts';
import { nearest } from '#base/nearest.ts';
import { readClientConfig } from '#config.ts';
import { openClient, type GatewayClient } from './client.ts';
import type { Typed } from './command.ts';
import { cancelTask, jobById, jobByName, jobNames, syncJob } from './documents.ts';
import { type LogChoice, logChoiceOf, watchTask } from './watch-task.ts';

/** Starts a job and watches its task, unless told to leave it. Fails with AppError when there is no such job. */
export async function runSync({ arguments: [job = ''], flags }: Typed): Promise<number> {
  const choice = logChoiceOf(flags);
  await using client = openClient(readClientConfig(process.env));
  const { id, name } = await findJob(client, job);
  const { taskId, isOurs } = await start(client, id, name);
  if (flags['detach'] === true) {
    process.stdout.write(`${taskId}\n`);
    return 0;
  }
  return await watchStarted(client, taskId, choice, isOurs);
}

async function watchStarted(
  client: GatewayClient,
  taskId: string,
  choice: LogChoice,
  isOurs: boolean,
): Promise<number> {
  if (!isOurs) return await watchTask(client, taskId, choice);
  return await watchTask(client, taskId, choice, async () => {
    const { cancelTask: payload } = await client.ask(cancelTask, { input: { id: taskId } });
    // Whoever cancels what has just ended sees how it ended.
    const [problem] = payload.userErrors.filter(({ code }) => code !== 'NOT_CANCELLABLE');
    if (problem !== undefined)
      throw new AppError('BAD_USER_INPUT', problem.message, { fix: problem.fix ?? undefined });
  });
}

/** By name first: a name is what people type, and no name is lost by looking like an id. */
async function findJob(client: GatewayClient, job: string): Promise<{ id: string; name: string }> {
  const byName = await client.ask(jobByName, { name: job });
  if (byName.job !== null) return byName.job;
  const byId = await client.ask(jobById, { id: job }).catch((error: unknown) => {
    if (error instanceof AppError && (error.code === 'BAD_USER_INPUT' || error.code === 'NOT_FOUND'))
      return null;
    throw error;
  });
  if (byId !== null && byId.job !== null) return byId.job;
  const names = (await client.ask(jobNames, {})).jobs.nodes.map(({ name }) => name);
  const meant = nearest(job, names);
  throw new AppError('NOT_FOUND', `There is no job "${job}" in this project.`, {
    fix:
      meant === undefined
        ? `The jobs are: ${names.slice(0, 20).join(', ') || 'none yet'}.`
        : `Did you mean "${meant}"?`,
  });
}

/** Starts the job, or finds the task that runs already. */
async function start(
  client: GatewayClient,
  id: string,
  name: string,
): Promise<{ taskId: string; isOurs: boolean }> {
  const { syncJob: payload } = await client.ask(syncJob, { input: { id } });
  const [problem] = payload.userErrors;
  const taskId = payload.task?.id;
  if (problem === undefined && taskId !== undefined) return { taskId, isOurs: true };
  if (problem?.code === 'ALREADY_RUNNING' && taskId !== undefined) {
    process.stderr.write(`The job "${name}" runs already: this is its task.\n`);
    return { taskId, isOurs: false };
  }
  throw new AppError('BAD_USER_INPUT', problem?.message ?? 'The job was not started.', {
    fix: problem?.fix ?? undefined,
  });
}
