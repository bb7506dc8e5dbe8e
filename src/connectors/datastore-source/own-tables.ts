import { createHash, randomBytes } from 'node:crypto';
import type { ConnectorContext, StreamSelection } from '#connectors/contract.ts';
import type { RunOptions, Warehouse } from '#warehouse/warehouse.ts';

/*
 * What a difference keeps in the datastore that it reads: of each job's stream one generation, the key and hash of every row
 * as once published, and what has changed since; and while a task runs its changes and what they lead to. Names say whose
 * they are: diff_<job>_<stream>_<g, s or c><chance>.
 */

const jobDigits = 32;
const streamDigits = 8;
const named = new RegExp(`^diff_([0-9a-f]{${jobDigits}})_([0-9a-f]{${streamDigits}})_[gsc][0-9a-f]{12}$`);

/** Whose tables. */
export interface Owner {
  jobId: string;
  stream: Pick<StreamSelection, 'namespace' | 'name'>;
}

export type OwnNames = Record<'generation' | 'since' | 'changes', string>;

/** Names that nobody has had. */
export function newNames(owner: Owner): OwnNames {
  const chance = randomBytes(6).toString('hex');
  const of = (kind: string) => `${prefixOf(owner)}${kind}${chance}`;
  return { generation: of('g'), since: of('s'), changes: of('c') };
}

function prefixOf({ jobId, stream }: Owner): string {
  return `diff_${jobId.replaceAll('-', '')}_${streamDigest(stream)}_`;
}

function streamDigest({ namespace, name }: Owner['stream']): string {
  const said = JSON.stringify([namespace, name]);
  return createHash('sha256').update(said).digest('hex').slice(0, streamDigits);
}

/** Of those tables drops the owner's but for what is kept, and what jobs have left that are deleted or compare the stream no more. */
export async function dropUnused(
  warehouse: Warehouse,
  owner: Owner,
  {
    tables,
    keep,
    compared,
    options,
  }: {
    tables: readonly string[];
    keep: readonly string[];
    compared: ConnectorContext['compared'];
    options: RunOptions;
  },
): Promise<void> {
  const mine = tables.filter((name) => name.startsWith(prefixOf(owner)) && !keep.includes(name));
  const others = tables.filter((name) => named.test(name) && !name.startsWith(prefixOf(owner)));
  const jobs = new Set(others.map((name) => idOf(named.exec(name)![1]!)));
  // Jobs that are not known may be those of another Sluice on the same datastore.
  const known =
    jobs.size > 0
      ? ((await compared?.([...jobs])) ?? new Map<string, StreamSelection[]>())
      : new Map<string, StreamSelection[]>();
  const left = others.filter((name) => {
    const [, digits, stream] = named.exec(name)!;
    const streams = known.get(idOf(digits!));
    return streams !== undefined && !streams.some((each) => streamDigest(each) === stream);
  });
  for (const name of [...mine, ...left]) await warehouse.dropOwn(name, options);
}

function idOf(digits: string): string {
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
