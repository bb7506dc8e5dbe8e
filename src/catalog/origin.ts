import { shareNext } from '#base/share-next.ts';
import type { Store } from '#store/open-store.ts';
import { runPrepared } from '#store/prepared.ts';
import { type Behind, oldestOf, withBehind, type Written } from './behind.ts';
import type { OpenableRow } from './datastores.ts';

/** What a question goes to, and the tables that it reads. */
export interface Asked {
  projectId: string;
  datastoreId: string;
  tableIds: readonly string[];
}

/** From where an answer comes, as of one moment. */
export interface Origin {
  /** Null when the project has no such datastore, or not any more. */
  row: OpenableRow | null;
  /** Ids of the tables, and of all behind the views among them. */
  ids: string[];
  oldest: Written;
}

const readers = new WeakMap<Store, (asked: Asked) => Promise<Origin>>();

/** The datastore of a question and what is behind its tables. One statement; questions over the same, asked at once, share it. */
export function readOrigin(store: Store, asked: Asked): Promise<Origin> {
  const reader = readers.get(store) ?? shareNext(keyOf, (each) => read(store, each));
  readers.set(store, reader);
  return reader(asked);
}

function keyOf({ projectId, datastoreId, tableIds }: Asked): string {
  return [projectId, datastoreId, ...tableIds].join(' ');
}

/** A datastore without tables behind the question is one row, whose columns of `behind` are null. */
const originStatement = {
  name: 'origin',
  text: `${withBehind}
    SELECT d.name, d.engine::text AS engine, d.config::text AS config, d.secrets::text AS secrets, behind.*
    FROM datastore d LEFT JOIN behind ON TRUE
    WHERE d.id = $3::uuid AND d.project_id = $1::uuid AND d.deleted_at IS NULL`,
};

type DatastoreTexts = Pick<OpenableRow, 'name' | 'engine'> & { config: string; secrets: string };
type OriginRow = DatastoreTexts & (Behind | { id: null });

async function read(store: Store, { projectId, datastoreId, tableIds }: Asked): Promise<Origin> {
  const rows = await runPrepared<OriginRow>(store, originStatement, [projectId, tableIds, datastoreId]);
  const behind = rows.filter((row): row is DatastoreTexts & Behind => row.id !== null);
  return {
    row: rows[0] ? openable(rows[0], projectId, datastoreId) : null,
    ids: [...new Set(behind.map(({ id }) => id))],
    oldest: oldestOf(behind),
  };
}

function openable(
  { name, engine, config, secrets }: DatastoreTexts,
  projectId: string,
  id: string,
): OpenableRow {
  return {
    id,
    projectId,
    name,
    engine,
    config: JSON.parse(config) as OpenableRow['config'],
    secrets: JSON.parse(secrets) as OpenableRow['secrets'],
  };
}
