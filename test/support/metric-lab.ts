import type { Viewer } from '#accounts/viewer.ts';
import { AppError } from '#base/errors.ts';
import { newId } from '#base/id.ts';
import type { Asker } from '#catalog/ask.ts';
import { askMetrics, type MetricAnswer, type Question } from '#metrics/ask-metrics.ts';
import { kindOf, type MetricDefinition, storedDefinition } from '#metrics/definition.ts';
import { fillWarehouse, mapEntity } from './entities.ts';
import { openTestGraphql, type TestGraphql } from './graphql.ts';
import { openPostgresWarehouse, type TestPostgresWarehouse } from './postgres-warehouse.ts';

/** The engine over a project of its own, asked without GraphQL. */
export interface MetricLab extends AsyncDisposable {
  gql: TestGraphql;
  viewer: Viewer;
  asker: Asker;
  /** The database that the tables lie in. */
  database: string;
  /** Runs statements on the warehouse, and lets the catalog find what they made. */
  load(statements: string[]): Promise<void>;
  /** Maps raw.organizations, raw.users and raw.events, as far as they are there. */
  mapAll(): Promise<void>;
  define(name: string, definition: MetricDefinition): Promise<void>;
  outcomes(questions: readonly Partial<Question>[]): Promise<(MetricAnswer | AppError)[]>;
  /** The answer. Fails when the question does. */
  ask(question: Partial<Question>): Promise<MetricAnswer>;
}

/** The engines that metrics are measured on. */
export type LabEngine = 'DUCKDB' | 'POSTGRES';

export async function openMetricLab(engine: LabEngine = 'DUCKDB'): Promise<MetricLab> {
  await using opening = new AsyncDisposableStack();
  const postgres = engine === 'POSTGRES' ? opening.use(await openPostgresWarehouse()) : null;
  const gql = opening.use(await openTestGraphql());
  const viewer = await gql.signUp('metric-lab');
  await postgres?.makeDefault(gql, viewer);
  const { projectId } = viewer;
  const asker = { projectId, requestId: newId(), signal: new AbortController().signal };
  const outcomes: MetricLab['outcomes'] = (questions) =>
    askMetrics(gql.app.metrics, asker, questions.map(questionOf));
  const open = opening.move();
  return {
    gql,
    viewer,
    asker,
    database: postgres?.server.database ?? 'warehouse',
    load: (statements) => fill(gql, viewer, postgres, statements),
    mapAll: () => mapAll(gql, viewer),
    define: (name, definition) => define(gql, projectId, name, definition),
    outcomes,
    async ask(question) {
      const [outcome] = await outcomes([question]);
      if (!outcome || outcome instanceof AppError) throw outcome ?? new Error('Nothing was answered.');
      return outcome;
    },
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}

async function fill(
  gql: TestGraphql,
  viewer: Viewer,
  postgres: TestPostgresWarehouse | null,
  statements: string[],
): Promise<void> {
  await postgres?.load(statements);
  await fillWarehouse(gql, viewer, postgres ? [] : statements);
}

export function questionOf(question: Partial<Question>): Question {
  const open = { grain: null, from: null, to: null, compareTo: null, timeZone: null, limit: null };
  return { ...open, metrics: [], by: [], filter: [], ...question };
}

async function define(
  { app }: TestGraphql,
  projectId: string,
  name: string,
  definition: MetricDefinition,
): Promise<void> {
  const now = new Date();
  await app.store.db.metric.create({
    data: {
      id: newId(),
      projectId,
      name,
      title: name,
      kind: kindOf(definition),
      definition: storedDefinition(definition),
      createdAt: now,
      updatedAt: now,
    },
  });
}

async function mapAll(gql: TestGraphql, viewer: Viewer): Promise<void> {
  await mapEntity(gql, viewer, { kind: 'ORGANIZATION', table: 'raw.organizations', key: 'id', name: 'name' });
  await mapEntity(gql, viewer, {
    kind: 'USER',
    table: 'raw.users',
    key: 'id',
    createdAt: 'created_at',
    organizationKey: 'organization_id',
  });
  await mapEntity(gql, viewer, {
    kind: 'EVENT',
    table: 'raw.events',
    key: 'id',
    name: 'name',
    at: 'at',
    userKey: 'user_id',
  });
}
