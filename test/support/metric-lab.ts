import type { Viewer } from '#accounts/viewer.ts';
import { AppError } from '#base/errors.ts';
import { newId } from '#base/id.ts';
import type { Asker } from '#catalog/ask.ts';
import { askMetrics, type MetricAnswer, type Question } from '#metrics/ask-metrics.ts';
import { kindOf, type MetricDefinition, storedDefinition } from '#metrics/definition.ts';
import { type EngineLab, type LabEngine, openEngineLab } from './engine-lab.ts';
import { mapEntity } from './entities.ts';
import type { TestGraphql } from './graphql.ts';

/** A project on any engine, whose metrics are asked without GraphQL. */
export interface MetricLab extends EngineLab {
  asker: Asker;
  /** Maps raw.organizations, raw.users and raw.events, as far as they are there. */
  mapAll(): Promise<void>;
  define(name: string, definition: MetricDefinition): Promise<void>;
  outcomes(questions: readonly Partial<Question>[]): Promise<(MetricAnswer | AppError)[]>;
  /** The answer. Fails when the question does. */
  ask(question: Partial<Question>): Promise<MetricAnswer>;
}

export async function openMetricLab(engine: LabEngine): Promise<MetricLab> {
  const lab = await openEngineLab(engine);
  const { gql, viewer } = lab;
  const { projectId } = viewer;
  const asker = { projectId, requestId: newId(), signal: new AbortController().signal };
  const outcomes: MetricLab['outcomes'] = (questions) =>
    askMetrics(gql.app.metrics, asker, questions.map(questionOf));
  return {
    ...lab,
    asker,
    mapAll: () => mapAll(gql, viewer),
    define: (name, definition) => define(gql, projectId, name, definition),
    outcomes,
    async ask(question) {
      const [outcome] = await outcomes([question]);
      if (!outcome || outcome instanceof AppError) throw outcome ?? new Error('Nothing was answered.');
      return outcome;
    },
    [Symbol.asyncDispose]: () => lab[Symbol.asyncDispose](),
  };
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
