import { createSignInLink } from '#accounts/sign-in-link.ts';
import type { App } from '#app.ts';
import { openClient, type GatewayClient } from '#cli/client.ts';
import { syncJob } from '#cli/documents.ts';
import { grouped } from '#cli/task-view.ts';
import { tableSample, writtenTables } from './documents.ts';
import { signInDemo, type DemoMember } from './member.ts';
import { preparePipeline, type DemoPipeline } from './pipelines.ts';
import { prepareData } from './prepare-data.ts';
import { askQuestions } from './questions.ts';
import { prepareSampleDatabase, type PostgresConfig } from './sample-database.ts';
import { prepareSampleFiles, sampleFolder } from './sample-files.ts';
import { showTask } from './show-task.ts';
import { shownWidth, tableText } from './table-text.ts';
import { prepareWarehouse } from './warehouse.ts';

const sampleRows = 3;

/** What the demo prints to, line by line. */
export type Say = (text: string) => void;

/**
 * Does what a newcomer would: fills a sample database, signs up, connects it, syncs it, looks at the rows, says which of
 * them are users and events, defines metrics and a signal, and asks. Says whether every task has succeeded. Rejects when
 * the signal aborts between two steps.
 */
export async function showDemo(
  app: App,
  url: string,
  options: { events: number; signal: AbortSignal; say: Say },
): Promise<{ isWell: boolean; member: DemoMember }> {
  const { signal, say } = options;
  say('Filling a sample PostgreSQL database (users, organizations, events, orders) and a folder of files');
  const database = await prepareSampleDatabase(app.store.databaseUrl, {
    events: options.events,
    now: new Date(),
    tell: (text) => say(`  ${text}`),
    signal,
  });
  await prepareSampleFiles(app.config.filesRoot);
  const member = await signInDemo(app, url);
  await using client = openClient({ url, token: member.token });
  if (app.config.demoWarehouse === 'postgres') await prepareWarehouse(app, client, say);
  let isWell = true;
  for (const pipeline of pipelinesOf(database.config)) {
    signal.throwIfAborted();
    say(`\nSyncing "${pipeline.source.name}" into the warehouse, by the job "${pipeline.job}"`);
    const jobId = await preparePipeline(client, pipeline);
    const { syncJob: started } = await client.ask(syncJob, { input: { id: jobId } });
    isWell = (await showTask(client, started, signal, say)) && isWell;
  }
  signal.throwIfAborted();
  await showTables(client, say);
  isWell &&= await prepareData(client, signal, say);
  signal.throwIfAborted();
  if (isWell) await askQuestions(client, database.until, say);
  showQueries(app, url, say);
  await showWayIn(app, url, member, say);
  return { isWell, member };
}

function pipelinesOf(database: PostgresConfig): DemoPipeline[] {
  return [
    {
      job: 'shop',
      source: { name: 'shop database', type: 'postgres', config: database },
      cron: '0 * * * *',
      growing: { events: { writeMode: 'UPSERT', cursorField: 'id' } },
    },
    {
      job: 'files',
      source: { name: 'shop files', type: 'files', config: { path: sampleFolder } },
      cron: null,
      growing: { web_visits: { writeMode: 'APPEND' } },
    },
  ];
}

async function showTables(client: GatewayClient, say: Say): Promise<void> {
  const { tables } = await client.ask(writtenTables, {});
  const width = shownWidth() - 2;
  for (const { fqn, rowCount } of tables.nodes) {
    const { table } = await client.ask(tableSample, { fqn, first: sampleRows });
    say(`\n${fqn}${rowCount === null ? '' : `: ${grouped(Number(rowCount))} rows`}`);
    if (!table?.sample) continue;
    const columns = table.sample.columns.map(({ name }) => name);
    for (const line of tableText(columns, table.sample.rows, width)) say(`  ${line}`);
  }
}

/** Prints a new link that signs the demo's member in once. */
export async function showWayIn(app: App, url: string, member: DemoMember, say: Say): Promise<void> {
  const token = await createSignInLink(app.accounts, member);
  say('');
  say(`Sluice is ready at ${url}/graphql`);
  say('Open this link within ten minutes; it signs you in once:');
  say(`  ${url}/sign-in?token=${token}`);
}

function showQueries(app: App, url: string, say: Say): void {
  say(
    [
      '',
      'Try these in GraphiQL:',
      '  { jobs { nodes { name nextRunAt lastTask { status rowsWritten runtimeMs } } } }',
      '  { tables(search: "events") { nodes { fqn rowCount freshness { syncedAt } sample(first: 5) { rows } } } }',
      '  { metric(name: "active_users") { series(grain: DAY, by: ["organization.plan"]) { points { at dimensions value } sql } } }',
      '  { users(first: 3, filter: { properties: [{ property: "theme", eq: "dark" }] }) { nodes { name eventCount } } }',
      '  { job(name: "shop") { lastTask { logs(first: 20) { nodes { at level stream message } } } } }',
      '',
      `Declare a data API as docs/data-api.md says, in ${app.config.endpoints}, and try it at ${url}/api/docs`,
      '',
      'Sync again from another terminal:',
      `  SLUICE_HOME=${app.config.home} SLUICE_URL=${url} npm run sluice -- sync shop --logs`,
    ].join('\n'),
  );
}
