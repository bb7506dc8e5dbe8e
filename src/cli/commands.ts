import type { Command, Flag } from './command.ts';

/** The flags of every command that watches a task. */
const logFlags: Record<string, Flag> = {
  logs: { type: 'boolean', short: 'l', summary: "Show the task's log, too." },
  level: {
    type: 'string',
    value: 'LEVEL',
    summary: 'The least level of the log to show: debug, info, warn or error.',
  },
};

const clientSettings = [
  'The gateway is the one at SLUICE_URL (http://127.0.0.1:4000). Asks with the token in SLUICE_TOKEN, a session token or',
  'an API key, or with the one that the demo left in SLUICE_HOME.',
];

/** Every command. What one needs is loaded when it runs: help and clients do not wait for the engines. */
export const commands: readonly Command[] = [
  {
    name: 'serve',
    summary: 'Serve the gateway, and run tasks.',
    arguments: [],
    flags: {},
    details: [
      'Serves GraphQL at http://SLUICE_HOST:SLUICE_PORT/graphql over HTTP, SSE and WebSocket, with GraphiQL for browsers,',
      'and runs up to SLUICE_WORKERS tasks at once. Without DATABASE_URL it starts a PostgreSQL of its own in SLUICE_HOME.',
      'SIGTERM or Ctrl-C ends it within 10 s: running tasks go on from their checkpoint when it is started again.',
    ],
    run: async () => (await import('./serve.ts')).runServe(),
  },
  {
    name: 'worker',
    summary: 'Run tasks beside other processes on one DATABASE_URL.',
    arguments: [],
    flags: {},
    details: [
      'Runs up to SLUICE_WORKERS tasks at once and serves nothing. Needs the DATABASE_URL and the SLUICE_SECRET_KEY of the',
      'gateway it helps. Tasks that write to an embedded warehouse stay with the gateway whose home holds its file.',
      'SIGTERM or Ctrl-C ends it within 10 s: another worker goes on with its tasks from their checkpoint.',
    ],
    run: async () => (await import('./worker.ts')).runWorker(),
  },
  {
    name: 'migrate',
    summary: 'Bring the metadata store up to date, and end.',
    arguments: [],
    flags: {},
    details: [
      'Applies the migrations that the PostgreSQL at DATABASE_URL, or the embedded one in SLUICE_HOME, lacks, and prints',
      'their names. "sluice serve" does the same when it starts; this is for those who migrate before they deploy.',
    ],
    run: async () => (await import('./migrate.ts')).runMigrate(),
  },
  {
    name: 'demo',
    summary: 'Serve a gateway with sample data that was just synced.',
    arguments: [],
    flags: {
      events: { type: 'string', value: 'N', summary: 'Events in the sample database: 200000 unless told.' },
      once: { type: 'boolean', summary: 'End when all has been shown.' },
    },
    details: [
      'Starts the gateway, fills a sample PostgreSQL database and a folder of files, signs a demo member up, creates sources,',
      'destinations and jobs over the public GraphQL API, syncs them, shows the first rows and a sign-in link, and goes on',
      'serving. Uses SLUICE_HOME (.sluice-demo unless set) and can be run again: what is there is used and synced anew.',
    ],
    run: async (typed) => (await import('./demo.ts')).runDemo(typed),
  },
  {
    name: 'sync',
    summary: 'Start a job, and watch its task.',
    arguments: ['JOB'],
    flags: {
      detach: { type: 'boolean', short: 'd', summary: 'Only start it, and print the id of its task.' },
      ...logFlags,
    },
    details: [
      'Starts the job of that name or id and shows a progress bar per stream. Ends with 0 when the task has succeeded, 1',
      'when it has failed, 130 when it was canceled. Ctrl-C cancels the task; once more leaves without waiting for it. A',
      'job that runs already is watched, and not canceled.',
      ...clientSettings,
    ],
    run: async (typed) => (await import('./sync.ts')).runSync(typed),
  },
  {
    name: 'watch',
    summary: 'Watch a task to its end.',
    arguments: ['TASK'],
    flags: logFlags,
    details: [
      'Follows the task of that id from its beginning, with a progress bar per stream, and goes on by itself after a lost',
      'connection. Ends with 0 when the task has succeeded, 1 when it has failed, 130 when it was canceled. Ctrl-C only',
      'leaves: the task goes on.',
      ...clientSettings,
    ],
    run: async (typed) => (await import('./watch.ts')).runWatch(typed),
  },
  {
    name: 'query',
    summary: 'Ask one GraphQL operation, and print its data as JSON.',
    arguments: ['DOCUMENT'],
    flags: {
      variables: {
        type: 'string',
        short: 'V',
        value: 'JSON',
        summary: 'Its variables: an object, or @FILE.',
      },
      operation: {
        type: 'string',
        value: 'NAME',
        summary: 'Which operation, where the document holds several.',
      },
    },
    details: [
      'DOCUMENT is the operation itself, @FILE for a file that holds it, or - for standard input. Its data goes to standard',
      'output, and what failed to standard error. A subscription prints each event in a line of its own, until it ends or',
      'Ctrl-C. Ends with 0, or 1 when something failed or a mutation answered with userErrors; 130 after Ctrl-C.',
      ...clientSettings,
    ],
    run: async (typed) => (await import('./query.ts')).runQuery(typed),
  },
  {
    name: 'endpoints',
    summary: 'Check and test data endpoints in a folder, or describe those that are served.',
    arguments: ['ACTION'],
    flags: {
      folder: {
        type: 'string',
        value: 'FOLDER',
        summary: 'The folder: SLUICE_ENDPOINTS (./endpoints) unless told.',
      },
      gateway: {
        type: 'boolean',
        summary: "check: has the gateway's datastores look at the queries, too, and says what a call reads.",
      },
      fixtures: {
        type: 'string',
        value: 'FILE',
        summary: 'test: SQL that makes the tables of the examples. fixtures.sql in the folder unless told.',
      },
      out: {
        type: 'string',
        short: 'o',
        value: 'FILE',
        summary: 'openapi: where to write it, in place of standard output.',
      },
    },
    details: [
      'check    reads every .yaml file of the folder and prints what is wrong as FILE:LINE:COLUMN; needs no gateway.',
      'test     also makes the calls of their examples on an embedded DuckDB that the fixtures fill, and compares the answers.',
      "openapi  prints the OpenAPI document of the gateway's endpoints.",
      'Ends with 0, or with 1 when something is wrong.',
      ...clientSettings,
    ],
    run: async (typed) => (await import('./endpoints.ts')).runEndpoints(typed),
  },
];
