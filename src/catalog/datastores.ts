import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { openConfig } from '#accounts/sealed-config.ts';
import type { SecretBox } from '#accounts/secrets.ts';
import { AppError } from '#base/errors.ts';
import { newId } from '#base/id.ts';
import { shareNext } from '#base/share-next.ts';
import { ConnectorError, type OpenDatastore } from '#connectors/contract.ts';
import type { Datastore } from '#generated/prisma/client.ts';
import type { Db, Tx } from '#store/open-store.ts';
import { openDuckDb } from '#warehouse/duckdb.ts';
import type { EngineReach } from '#warehouse/engine-reach.ts';
import { ResultCache } from '#warehouse/result-cache.ts';
import type { Warehouse } from '#warehouse/warehouse.ts';
import { remoteEngines } from './engines.ts';

const cacheBytesDefault = 64 * 1024 * 1024;

/** The name of the embedded warehouse that every project has. */
export const embeddedName = 'warehouse';

/** The datastore lives in the home of another process: only that one may open its file. */
export class NotHere extends AppError {
  readonly homeId: string;

  constructor(name: string, homeId: string) {
    super(
      'WAREHOUSE_UNAVAILABLE',
      `The datastore "${name}" is embedded in the home ${homeId}, which this process does not serve.`,
      {
        fix: 'Ask the process that serves that home.',
      },
    );
    this.name = 'NotHere';
    this.homeId = homeId;
  }
}

/** What a datastore is opened by. */
export type OpenableRow = Pick<Datastore, 'id' | 'projectId' | 'name' | 'engine' | 'config' | 'secrets'>;

/** The open warehouses of this process, one handle a datastore, opened when first asked for. */
export interface Datastores extends AsyncDisposable {
  /** What they answered. */
  readonly cache: ResultCache;
  /** Where their engines may be. */
  readonly reach: EngineReach;
  /**
   * The project's datastore of that name, or its default warehouse. Fails with CONFIG naming those that exist, with
   * NotHere in a process that may not open it, and with WAREHOUSE_UNAVAILABLE when its engine does not answer.
   */
  open(projectId: string, name?: string): Promise<OpenDatastore>;
  /** A datastore whose row was just read. Fails as open does. */
  openRow(row: OpenableRow): Promise<OpenDatastore>;
  /** The home whose serving process alone opens that datastore; null when any process can. Fails as open does. */
  homeOf(projectId: string, name?: string): Promise<string | null>;
  /** Closes a datastore that is deleted; what still runs there is stopped. */
  forget(id: string): Promise<void>;
}

interface DatastoresOptions {
  db: Db;
  home: string;
  homeId: string;
  /** Where datastores elsewhere may be: on their engines' own domains alone when left out. */
  reach?: EngineReach;
  /** Opens the secrets of datastores elsewhere. */
  secrets: SecretBox;
  /** False in workers beside the serving process: they never open embedded warehouses. */
  opensEmbedded: boolean;
  /** What kept answers may take; 64 MiB when left out. */
  cacheBytesMax?: number;
  /** Folders that a sync's scans may read: the FIFOs and the files root. */
  scanDirectories: string[];
}

/** Inserts the embedded warehouse of a new project, in the transaction that makes the project. */
export async function createEmbeddedDatastore(
  tx: Tx,
  options: { projectId: string; memberId: string | null; homeId: string; at: Date },
): Promise<void> {
  await tx.datastore.create({
    data: {
      id: newId(),
      projectId: options.projectId,
      name: embeddedName,
      engine: 'DUCKDB',
      role: 'WAREHOUSE',
      isDefault: true,
      config: { home: options.homeId },
      createdAt: options.at,
      updatedAt: options.at,
      createdById: options.memberId,
      updatedById: options.memberId,
    },
  });
}

/** Opens nothing yet; disposing closes what was opened. */
export function openDatastores(options: DatastoresOptions): Datastores {
  const open = new Map<string, { settings: string; opening: Promise<Warehouse> }>();

  /** Questions that come at once read it together. */
  const datastoresOf = shareNext(
    (projectId: string) => projectId,
    (projectId) =>
      options.db.datastore.findMany({ where: { projectId, deletedAt: null }, orderBy: { createdAt: 'asc' } }),
  );
  const find = async (projectId: string, name: string | undefined) =>
    findDatastore(await datastoresOf(projectId), name);
  const warehouseOf = (row: OpenableRow): Promise<Warehouse> => {
    const settings = settingsOf(row);
    const known = open.get(row.id);
    if (known?.settings === settings) return known.opening;
    if (known) void close(known.opening, `the settings of "${row.name}" were changed`);
    const opening = row.engine === 'DUCKDB' ? openEmbedded(options, row) : openRemote(options, row);
    const opened = { settings, opening };
    open.set(row.id, opened);
    // A failed opening is forgotten, so that the next question tries again.
    opening.catch(() => open.get(row.id) === opened && open.delete(row.id));
    return opening;
  };

  const openRow = async (row: OpenableRow) => {
    const homeId = homeOfRow(row);
    if (homeId !== null && (homeId !== options.homeId || !options.opensEmbedded))
      throw new NotHere(row.name, homeId);
    return { name: row.name, warehouse: await warehouseOf(row) };
  };

  return {
    reach: reachOf(options),
    cache: new ResultCache({ bytesMax: options.cacheBytesMax ?? cacheBytesDefault }),
    open: async (projectId, name) => openRow(await find(projectId, name)),
    openRow,
    async homeOf(projectId, name) {
      return homeOfRow(await find(projectId, name));
    },
    async forget(id) {
      const opened = open.get(id);
      open.delete(id);
      if (opened) await close(opened.opening, 'its datastore was deleted');
    },
    async [Symbol.asyncDispose]() {
      const opened = [...open.values()];
      open.clear();
      for (const { opening } of opened) await close(opening);
    },
  };
}

function reachOf({ reach }: DatastoresOptions): EngineReach {
  return reach ?? { emulatorHosts: [] };
}

/** Closes it; what runs there is told why. */
async function close(opening: Promise<Warehouse>, why?: string): Promise<void> {
  const warehouse = await opening.catch(() => undefined);
  if (!warehouse) return;
  if (why !== undefined) warehouse.closedFor = why;
  await warehouse[Symbol.asyncDispose]();
}

/** What an engine elsewhere is opened with: changed, by whichever process, it is opened anew. A file stays where it is. */
function settingsOf({ engine, config, secrets }: OpenableRow): string {
  return engine === 'DUCKDB' ? '' : JSON.stringify([config, secrets]);
}

async function openRemote(options: DatastoresOptions, row: OpenableRow): Promise<Warehouse> {
  const engine = remoteEngines[row.engine];
  if (!engine) {
    throw new AppError('WAREHOUSE_UNAVAILABLE', `This build cannot open "${row.name}" on ${row.engine}.`, {
      fix: 'Run a build that has this engine.',
    });
  }
  return engine.open(openConfig(options, engine.spec, { ...row, row: row.id }), reachOf(options));
}

/** The file is named as its datastore, and lies in a folder of its project, since DuckDB names the database after it. */
async function openEmbedded(options: DatastoresOptions, row: OpenableRow): Promise<Warehouse> {
  const file = textOf(row, 'file') ?? `${embeddedName}.duckdb`;
  const path = join(options.home, 'warehouses', row.projectId, file);
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  return openDuckDb({ path, allowedDirectories: options.scanDirectories });
}

function findDatastore(rows: readonly Datastore[], name: string | undefined): Datastore {
  const found =
    name === undefined ? rows.find((row) => row.isDefault) : rows.find((row) => row.name === name);
  if (found) return found;
  const names = rows.map((row) => `"${row.name}"`).join(', ') || 'none';
  const asked =
    name === undefined ? 'There is no default datastore.' : `There is no datastore named "${name}".`;
  throw new ConnectorError('CONFIG', `${asked} The project has: ${names}.`, {
    fix: 'Name one of these, or leave the field out to use the default.',
    path: ['datastore'],
  });
}

function homeOfRow(row: OpenableRow): string | null {
  return row.engine === 'DUCKDB' ? textOf(row, 'home') : null;
}

/** What the catalog itself keeps in a config: the home that serves a DuckDB file, and the file where it is not the first. */
function textOf({ config }: OpenableRow, key: 'home' | 'file'): string | null {
  if (typeof config !== 'object' || config === null || Array.isArray(config)) return null;
  const value = config[key];
  return typeof value === 'string' ? value : null;
}
