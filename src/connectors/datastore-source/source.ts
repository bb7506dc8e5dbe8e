import { AppError } from '#base/errors.ts';
import {
  type CheckResult,
  type ConnectorContext,
  ConnectorError,
  type SourceConnector,
  type StreamInfo,
} from '#connectors/contract.ts';
import { planStream } from './plan-stream.ts';
import { declaredSeries, listSeries, openSeriesStream, readsOfSeries } from './series.ts';
import { findRelation, listRelations, readsOf, streamOf } from './relations.ts';
import { type DatastoreSourceConfig, spec } from './spec.ts';

/** Reads tables, views, SELECTs and metrics of a project's datastore: reverse ETL. */
export const datastoreSource: SourceConnector<DatastoreSourceConfig> = {
  type: 'datastore',
  version: '1.0.0',
  title: 'Datastore',
  documentationUrl: null,
  spec,
  syncModes: ['FULL_REFRESH', 'INCREMENTAL'],
  datastoreOf: ({ datastore: name }) => (name === undefined ? {} : { name }),
  check,
  discover,
  async open(config, context) {
    const { name, warehouse } = await context.datastore(config.datastore);
    const place = { datastore: name, ignoresCase: warehouse.dialect.ignoresCase === true };
    return {
      plan: (selection, from) => planStream(warehouse, config, { selection, from, context }),
      async reads(selection) {
        const declared = declaredSeries(config, selection);
        if (declared) {
          const series = await openSeriesStream(config, declared, context);
          return { ...place, tables: await readsOfSeries(warehouse, series, context.signal) };
        }
        const relation = await findRelation(warehouse, config, selection, context.signal);
        return { ...place, tables: await readsOf(warehouse, relation, context.signal) };
      },
      // The datastore belongs to the project and stays open.
      async [Symbol.asyncDispose]() {},
    };
  },
};

async function discover(config: DatastoreSourceConfig, context: ConnectorContext): Promise<StreamInfo[]> {
  refuseTwins(config);
  const { warehouse } = await context.datastore(config.datastore);
  const series = await listSeries(config, context);
  return [...(await listRelations(warehouse, config, context)).map(streamOf), ...series];
}

async function check(config: DatastoreSourceConfig, context: ConnectorContext): Promise<CheckResult> {
  try {
    refuseTwins(config);
    const { name, warehouse } = await context.datastore(config.datastore);
    const series = await listSeries(config, context);
    const relations = await listRelations(warehouse, config, context);
    const schemas = new Set(relations.map(({ namespace }) => namespace));
    const missing = (config.schemas ?? []).filter((schema) => !schemas.has(schema));
    if (missing.length > 0) {
      const message = `The datastore "${name}" has no tables in the schema "${missing.join('", "')}".`;
      throw new ConnectorError('CONFIG', message, {
        fix: 'Name schemas that hold tables.',
        path: ['schemas'],
      });
    }
    const tables = relations.filter(({ table }) => table !== null).length;
    const selects = relations.length - tables;
    const more = [
      selects > 0 ? `, ${selects} SELECTs` : '',
      series.length > 0 ? `, ${series.length} series` : '',
    ];
    const message = `Datastore "${name}" (${warehouse.engine}), ${tables} tables and views${more.join('')}.`;
    return { ok: true, message, problems: [] };
  } catch (error) {
    context.signal.throwIfAborted();
    if (!(error instanceof ConnectorError || error instanceof AppError)) throw error;
    const path = error instanceof ConnectorError ? error.path : [];
    const { message, fix } = error;
    return {
      ok: false,
      message,
      problems: [{ code: 'CONNECTION_FAILED', message, fix, path: ['config', ...path] }],
    };
  }
}

/** Streams are known by their names. */
function refuseTwins({ streams = [], series = [] }: DatastoreSourceConfig): void {
  const paths = [
    ...streams.map(({ name }, at) => ({ name, path: ['streams', String(at), 'name'] })),
    ...series.map(({ name }, at) => ({ name, path: ['series', String(at), 'name'] })),
  ];
  const names = paths.map(({ name }) => name);
  const twin = paths.find(({ name }, at) => names.indexOf(name) < at);
  if (!twin) return;
  throw new ConnectorError('CONFIG', `Two SELECTs or series have the name "${twin.name}".`, {
    fix: 'Give each a name of its own.',
    path: twin.path,
  });
}
