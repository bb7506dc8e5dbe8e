import type { Viewer } from '#accounts/viewer.ts';
import { visible } from '#accounts/visible.ts';
import { InputError, inputError, type Problem } from '#base/errors.ts';
import { checkConfig, withDefaults } from '#connectors/check-config.ts';
import type { DestinationConnector, Json, SourceConnector } from '#connectors/contract.ts';
import { connectors } from '#connectors/registry.ts';
import type { Source } from '#generated/prisma/client.ts';
import type { PipelineDeps } from './deps.ts';
import { openConfig } from '#accounts/sealed-config.ts';

/** Which end of a job: also the name of its table. */
export type EndKind = 'source' | 'destination';
export type End = Omit<Source, 'streams'>;
/** What a connector reads: the config with its secrets and defaults. */
export type EndConfig = { [key: string]: Json };

interface ConnectorOf {
  source: SourceConnector;
  destination: DestinationConnector;
}

/** Something saved by its id, or type, version and config of something new. */
export interface EndAsk {
  id?: string | null | undefined;
  type?: string | null | undefined;
  version?: string | null | undefined;
  config?: unknown;
}

/** The connector of that type and version, the newest without one. Fails with INVALID, after the problems found before. */
export function findConnector<Kind extends EndKind>(
  deps: PipelineDeps,
  kind: Kind,
  type: string,
  version: string | null | undefined,
  before: readonly Problem[] = [],
): ConnectorOf[Kind] {
  const lookUp = deps.connectors[kind] as (
    type: string,
    version?: string | null,
  ) => ConnectorOf[Kind] | undefined;
  const found = lookUp(type, version);
  if (found) return found;
  const newest = lookUp(type);
  if (newest) {
    const message = `The ${kind} connector "${type}" has no version "${version}".`;
    const fix = `Leave the version out, or use "${newest.version}".`;
    throw new InputError([...before, { code: 'INVALID', path: ['version'], message, fix }]);
  }
  const types = connectors[`${kind}s`].map((each) => each.type);
  const message = `There is no ${kind} connector of type "${type}".`;
  throw new InputError([
    ...before,
    { code: 'INVALID', path: ['type'], message, fix: `Use one of: ${types.join(', ')}.` },
  ]);
}

/** The connector and config of something not saved. Fails with every problem of the config at once. */
export function unsavedConfig<Kind extends EndKind>(
  deps: PipelineDeps,
  kind: Kind,
  ask: EndAsk,
): { connector: ConnectorOf[Kind]; config: EndConfig } {
  if (ask.type == null) {
    const fix = `Give the id of a saved ${kind}, or type and config of a new one.`;
    throw inputError('REQUIRED', ['type'], 'Neither id nor type is given.', fix);
  }
  const connector = findConnector(deps, kind, ask.type, ask.version);
  const config = ask.config ?? {};
  const problems = checkConfig(connector.spec, config);
  if (problems.length > 0) throw new InputError(problems);
  return { connector, config: withDefaults(connector.spec, config as EndConfig) };
}

/** The connector and config of something saved. Fails with INVALID when this build has not its connector. */
export function configOfRow<Kind extends EndKind>(
  deps: PipelineDeps,
  kind: Kind,
  row: End,
): { connector: ConnectorOf[Kind]; config: EndConfig } {
  const connector = findConnector(deps, kind, row.type, row.version);
  return { connector, config: openConfig(deps, connector.spec, { ...row, row: row.id }) };
}

/** The row of a source or destination. Fails with NOT_FOUND for an unknown, foreign or deleted one. */
export async function findEnd(deps: PipelineDeps, viewer: Viewer, kind: EndKind, id: string): Promise<End> {
  const { db } = deps.store;
  const where = { id, ...visible(viewer) };
  const row =
    kind === 'source' ? await db.source.findFirst({ where }) : await db.destination.findFirst({ where });
  if (!row) throw inputError('NOT_FOUND', ['id'], `There is no such ${kind}.`);
  return row;
}
