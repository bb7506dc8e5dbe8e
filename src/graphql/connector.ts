import {
  type ConnectorInfo,
  type SyncMode as SyncModeName,
  type WriteMode as WriteModeName,
} from '#connectors/contract.ts';
import { connectors } from '#connectors/registry.ts';
import { builder } from './builder.ts';

const ConnectorKind = builder.enumType('ConnectorKind', {
  description: 'Which end of a job a connector speaks to.',
  values: {
    SOURCE: { description: 'Reads from a kind of system.' },
    DESTINATION: { description: 'Writes to a kind of system.' },
  },
});

export const SyncMode = builder.enumType('SyncMode', {
  description: 'How much of a stream a task reads.',
  values: {
    FULL_REFRESH: { description: 'All of it, every time.' },
    INCREMENTAL: {
      description: 'What came after the last task, by a cursor field; of files, those not yet taken.',
    },
    CDC: { description: 'The changes since the last task, as the source itself logs them.' },
    STRICT_CDC: { description: 'As CDC, and every change exactly in its order.' },
  },
});

export const WriteMode = builder.enumType('WriteMode', {
  description: 'What becomes of the rows that a table has when new ones come.',
  values: {
    OVERWRITE: { description: 'The new rows take their place, all at once when they are complete.' },
    APPEND: { description: 'They stay; the new rows are added.' },
    UPSERT: { description: 'Those with the primary key of a new row are replaced; the last version wins.' },
  },
});

export interface ConnectorShape {
  kind: 'SOURCE' | 'DESTINATION';
  info: ConnectorInfo;
  syncModes: readonly SyncModeName[];
  writeModes: readonly WriteModeName[];
}

export const Connector = builder.objectRef<ConnectorShape>('Connector').implement({
  description: 'The code that speaks to a kind of system. Part of this build; needs CONTROL_READ.',
  fields: (t) => ({
    kind: t.expose('kind', { type: ConnectorKind, description: 'Which end of a job it is for.' }),
    type: t.string({
      description: 'Its name in inputs, such as "postgres".',
      resolve: ({ info }) => info.type,
    }),
    version: t.string({
      description: 'The version of its config and behaviour.',
      resolve: ({ info }) => info.version,
    }),
    title: t.string({ description: 'Its name for people.', resolve: ({ info }) => info.title }),
    documentationUrl: t.string({
      nullable: true,
      description: 'Where it is described. Null when it is nowhere.',
      resolve: ({ info }) => info.documentationUrl,
    }),
    spec: t.field({
      type: 'JSON',
      description: 'JSON Schema of config; secret fields carry "secret": true.',
      resolve: ({ info }) => info.spec,
    }),
    syncModes: t.field({
      type: [SyncMode],
      description: 'How much of a stream it can read. Empty for a destination.',
      resolve: ({ syncModes }) => [...syncModes],
    }),
    writeModes: t.field({
      type: [WriteMode],
      description: 'What it can do with rows that are there. Empty for a source.',
      resolve: ({ writeModes }) => [...writeModes],
    }),
  }),
});

builder.queryFields((t) => ({
  connectors: t.field({
    type: [Connector],
    description: 'The connectors of this build, sources first. Needs CONTROL_READ.',
    args: {
      kind: t.arg({ type: ConnectorKind, description: 'Only those for this end of a job. Null for both.' }),
      type: t.arg.string({ description: 'Only those of this type, such as "postgres". Null for all.' }),
    },
    resolve: (_root, { kind, type }) =>
      allConnectors().filter(
        (each) => (kind == null || each.kind === kind) && (type == null || each.info.type === type),
      ),
  }),
  connector: t.field({
    type: Connector,
    nullable: true,
    description:
      'One connector. Null when this build has none of that kind, type and version. Needs CONTROL_READ.',
    args: {
      kind: t.arg({ type: ConnectorKind, required: true, description: 'Which end of a job it is for.' }),
      type: t.arg.string({ required: true, description: 'Its type, such as "postgres".' }),
      version: t.arg.string({ description: 'Its version. Null for the newest.' }),
    },
    resolve: (_root, { kind, type, version }) => findConnector(kind, type, version),
  }),
}));

/** The connector of a saved source or destination. One that this build has no more is shown by what is known of it. */
export function connectorOf(kind: 'SOURCE' | 'DESTINATION', type: string, version: string): ConnectorShape {
  const found = findConnector(kind, type, version) ?? findConnector(kind, type, null);
  if (found !== null) return found;
  const info = {
    type,
    version,
    title: `${type} (not in this build)`,
    documentationUrl: null,
    spec: { type: 'object' as const },
  };
  return { kind, info, syncModes: [], writeModes: [] };
}

function findConnector(
  kind: 'SOURCE' | 'DESTINATION',
  type: string,
  version: string | null | undefined,
): ConnectorShape | null {
  const found = allConnectors().find(
    (each) =>
      each.kind === kind && each.info.type === type && (version == null || each.info.version === version),
  );
  return found ?? null;
}

function allConnectors(): ConnectorShape[] {
  return [
    ...connectors.sources.map((info) => ({
      kind: 'SOURCE' as const,
      info,
      syncModes: info.syncModes,
      writeModes: [],
    })),
    ...connectors.destinations.map((info) => ({
      kind: 'DESTINATION' as const,
      info,
      syncModes: [],
      writeModes: info.writeModes,
    })),
  ];
}
