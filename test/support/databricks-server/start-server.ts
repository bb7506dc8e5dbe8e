import { join } from 'node:path';
import type { DatabricksLogin } from '#warehouse/databricks-sign-in.ts';
import { startServerChild } from '../server-child.ts';

export interface ServerOptions {
  /** The one catalog that there is. */
  database: string;
}

/** Who may sign in, and what opens the door. */
export interface Account {
  warehouseId: string;
  token: string;
  clientId: string;
  clientSecret: string;
}

/** What the server was told by its clients. */
export interface Told {
  sessions: number;
  ended: number;
  canceled: number;
  /** Statements that run now. */
  running: number;
  closed: number;
  signIns: number;
  texts: string[];
  tags: string[];
  configurations: Record<string, string>[];
  /** Files that lie in volumes. */
  staged: string[];
}

/** What a test makes of the server: it answers each with what it was told so far. */
export type Command =
  | { forget: 'sessions' | 'tokens' }
  | {
      trouble: {
        status?: number;
        statusCount?: number;
        retryAfterSeconds?: number;
        said?: string;
        brokenFetches?: number;
        lostFetches?: number;
        /** What so many files that are put are refused with. */
        filesStatus?: number;
        filesCount?: number;
        /** What the next statement with these words is refused with. */
        words?: string;
        refused?: [condition: string, sqlState: string, message: string];
      };
    }
  /** A comment that the catalog has of a table, and the table itself has not. */
  | { shown: { table: string; text: string } }
  | { tell: true };

/** A server that speaks as Databricks does, in a process of its own, and what lets one in. */
export interface DatabricksServer extends AsyncDisposable {
  host: string;
  /** How it is reached, but for who signs in. */
  login: Pick<DatabricksLogin, 'url' | 'warehouseId' | 'catalog' | 'volume'>;
  account: Account;
  /** The folder of this machine that its volumes lie in. */
  volumes: string;
  order(command: Command): Promise<Told>;
}

/** Starts the server with an empty catalog. See README.md for what of Databricks it has. */
export async function startDatabricksServer(options: ServerOptions): Promise<DatabricksServer> {
  const account: Account = {
    warehouseId: 'abcdef0123456789',
    token: 'dapi-of-a-test',
    clientId: '00000000-0000-0000-0000-00000000000a',
    clientSecret: 'a secret: of a test',
  };
  const file = join(import.meta.dirname, 'server-process.ts');
  const child = await startServerChild<Command, Told>(file, { ...options, account });
  return {
    ...child,
    login: {
      url: `http://${child.host}`,
      warehouseId: account.warehouseId,
      catalog: options.database,
      volume: `/Volumes/${options.database}/default/files`,
    },
    account,
    volumes: child.folder,
  };
}
