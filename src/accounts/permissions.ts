import { AppError } from '#base/errors.ts';
import type { Role, Scope } from '#generated/prisma/enums.ts';
import type { Viewer } from './viewer.ts';

/**
 * What a field or type asks of the viewer. ADMIN is a member of role OWNER or ADMIN, never an API key.
 * ADMIN_OR_KEY lets an API key through too: visibleApiKeys then shows it nothing but itself.
 */
export type Need = 'ANYONE' | 'SIGNED_IN' | Scope | 'ADMIN' | 'ADMIN_OR_KEY';

const scopesByRole: Record<Role, readonly Scope[]> = {
  OWNER: ['DATA_READ', 'CONTROL_READ', 'CONTROL_WRITE'],
  ADMIN: ['DATA_READ', 'CONTROL_READ', 'CONTROL_WRITE'],
  EDITOR: ['DATA_READ', 'CONTROL_READ', 'CONTROL_WRITE'],
  VIEWER: ['DATA_READ', 'CONTROL_READ'],
};

/** The scopes a member of that role has. */
export function scopesOf(role: Role): readonly Scope[] {
  return scopesByRole[role];
}

/** Every root field, by its type and name. */
const rootNeeds: Record<string, Need> = {
  // The type of the node found decides: see typeNeeds.
  'Query.node': 'ANYONE',
  'Query.nodes': 'ANYONE',
  'Query.viewer': 'ANYONE',
  'Query.apiKeys': 'ADMIN_OR_KEY',
  'Query.connectors': 'CONTROL_READ',
  'Query.connector': 'CONTROL_READ',
  'Query.datastores': 'CONTROL_READ',
  // For those who may then make the datastore.
  'Query.warehouseSetupScript': 'CONTROL_WRITE',
  'Query.sources': 'CONTROL_READ',
  'Query.source': 'CONTROL_READ',
  'Query.destinations': 'CONTROL_READ',
  'Query.destination': 'CONTROL_READ',
  'Query.jobs': 'CONTROL_READ',
  'Query.job': 'CONTROL_READ',
  'Query.transformations': 'CONTROL_READ',
  'Query.transformation': 'CONTROL_READ',
  'Query.task': 'CONTROL_READ',
  'Query.tasks': 'CONTROL_READ',
  'Query.tables': 'DATA_READ',
  'Query.table': 'DATA_READ',
  'Query.column': 'DATA_READ',
  'Query.columns': 'DATA_READ',
  'Query.entityMapping': 'CONTROL_READ',
  'Query.users': 'DATA_READ',
  'Query.user': 'DATA_READ',
  'Query.organizations': 'DATA_READ',
  'Query.organization': 'DATA_READ',
  'Query.events': 'DATA_READ',
  'Query.metrics': 'DATA_READ',
  'Query.metric': 'DATA_READ',
  'Query.metricTable': 'DATA_READ',
  'Query.endpoints': 'CONTROL_READ',
  'Query.endpoint': 'CONTROL_READ',
  'Query.signals': 'CONTROL_READ',
  'Query.signal': 'CONTROL_READ',

  'Mutation.signUp': 'ANYONE',
  'Mutation.logIn': 'ANYONE',
  'Mutation.logOut': 'ANYONE',
  'Mutation.createApiKey': 'ADMIN',
  'Mutation.revokeApiKey': 'ADMIN',
  // Tests and discovery connect to where their input says, so they are for those who may also save such a config.
  'Mutation.testSource': 'CONTROL_WRITE',
  'Mutation.discoverStreams': 'CONTROL_WRITE',
  'Mutation.createSource': 'CONTROL_WRITE',
  'Mutation.updateSource': 'CONTROL_WRITE',
  'Mutation.deleteSource': 'CONTROL_WRITE',
  'Mutation.testDestination': 'CONTROL_WRITE',
  'Mutation.createDestination': 'CONTROL_WRITE',
  'Mutation.updateDestination': 'CONTROL_WRITE',
  'Mutation.deleteDestination': 'CONTROL_WRITE',
  'Mutation.createJob': 'CONTROL_WRITE',
  'Mutation.updateJob': 'CONTROL_WRITE',
  'Mutation.deleteJob': 'CONTROL_WRITE',
  'Mutation.setJobActive': 'CONTROL_WRITE',
  'Mutation.syncJob': 'CONTROL_WRITE',
  'Mutation.upsertTransformation': 'CONTROL_WRITE',
  'Mutation.deleteTransformation': 'CONTROL_WRITE',
  'Mutation.runTransformation': 'CONTROL_WRITE',
  'Mutation.cancelTask': 'CONTROL_WRITE',
  'Mutation.createDatastore': 'CONTROL_WRITE',
  'Mutation.updateDatastore': 'CONTROL_WRITE',
  'Mutation.deleteDatastore': 'CONTROL_WRITE',
  'Mutation.testDatastore': 'CONTROL_WRITE',
  'Mutation.refreshCatalog': 'CONTROL_WRITE',
  'Mutation.updateTable': 'CONTROL_WRITE',
  'Mutation.mapEntity': 'CONTROL_WRITE',
  'Mutation.unmapEntity': 'CONTROL_WRITE',
  'Mutation.createMetric': 'CONTROL_WRITE',
  'Mutation.updateMetric': 'CONTROL_WRITE',
  'Mutation.deleteMetric': 'CONTROL_WRITE',
  'Mutation.upsertEndpoint': 'CONTROL_WRITE',
  'Mutation.testEndpoint': 'CONTROL_WRITE',
  'Mutation.publishEndpoint': 'CONTROL_WRITE',
  'Mutation.deprecateEndpoint': 'CONTROL_WRITE',
  'Mutation.restoreEndpoint': 'CONTROL_WRITE',
  'Mutation.deleteEndpoint': 'CONTROL_WRITE',
  'Mutation.createSignal': 'CONTROL_WRITE',
  'Mutation.updateSignal': 'CONTROL_WRITE',
  'Mutation.deleteSignal': 'CONTROL_WRITE',
  'Mutation.evaluateSignal': 'CONTROL_WRITE',

  'Subscription.taskUpdated': 'CONTROL_READ',
  'Subscription.tasksUpdated': 'CONTROL_READ',
  'Subscription.taskLogs': 'CONTROL_READ',
  'Subscription.signalEvaluated': 'CONTROL_READ',
};

/** Every object type, however it is reached. Its connection and edge need the same; see needOf. */
const typeNeeds: Record<string, Need> = {
  Account: 'SIGNED_IN',
  Project: 'SIGNED_IN',
  Viewer: 'SIGNED_IN',
  Member: 'CONTROL_READ',
  ApiKey: 'ADMIN_OR_KEY',

  // Who may read a table may know where it lies; how that is reached is said in fieldNeeds.
  Datastore: 'DATA_READ',
  DatastoreSchema: 'DATA_READ',
  Table: 'DATA_READ',
  Column: 'DATA_READ',
  LineageEdge: 'DATA_READ',
  Freshness: 'DATA_READ',
  RowSet: 'DATA_READ',
  RowSetColumn: 'DATA_READ',

  Connector: 'CONTROL_READ',
  Source: 'CONTROL_READ',
  Destination: 'CONTROL_READ',
  Stream: 'CONTROL_READ',
  Job: 'CONTROL_READ',
  Schedule: 'CONTROL_READ',
  JobStream: 'CONTROL_READ',
  Difference: 'CONTROL_READ',
  Transformation: 'CONTROL_READ',
  TransformationTarget: 'CONTROL_READ',
  Formula: 'CONTROL_READ',
  FormulaColumn: 'CONTROL_READ',
  Task: 'CONTROL_READ',
  TaskStream: 'CONTROL_READ',
  TaskError: 'CONTROL_READ',
  TaskLog: 'CONTROL_READ',
  TaskLogBatch: 'CONTROL_READ',

  EntityMapping: 'CONTROL_READ',
  Break: 'CONTROL_READ',
  User: 'DATA_READ',
  Organization: 'DATA_READ',
  Event: 'DATA_READ',

  Metric: 'DATA_READ',
  MetricProblem: 'DATA_READ',
  MetricSeries: 'DATA_READ',
  MetricPoint: 'DATA_READ',
  MetricTable: 'DATA_READ',
  Signal: 'CONTROL_READ',
  SignalEvaluation: 'CONTROL_READ',
  WebhookDelivery: 'CONTROL_READ',

  Endpoint: 'CONTROL_READ',
  EndpointRevision: 'CONTROL_READ',
  EndpointDifference: 'CONTROL_READ',
  EndpointUsage: 'CONTROL_READ',

  // Shapes that say nothing by themselves: reached only through a field that is guarded.
  PageInfo: 'ANYONE',
  InputUserError: 'ANYONE',
};

/** Fields that need more than the type they are of. */
const fieldNeeds: Record<string, Need> = {
  'Datastore.config': 'CONTROL_READ',
  'Datastore.providedSecrets': 'CONTROL_READ',
};

const needs = new Map(Object.entries({ ...rootNeeds, ...typeNeeds }));
const rootTypes = new Set(['Query', 'Mutation', 'Subscription']);

/**
 * What it takes to read this field. Fails for a root field or an object type that the tables above do not name: a new
 * one must be decided on before it can be served.
 */
export function needOf(typeName: string, fieldName: string): Need {
  if (rootTypes.has(typeName)) {
    const need = needs.get(`${typeName}.${fieldName}`);
    if (need !== undefined) return need;
    throw new Error(
      `${typeName}.${fieldName} has no entry in accounts/permissions.ts: say there who may use it.`,
    );
  }
  return fieldNeeds[`${typeName}.${fieldName}`] ?? needOfType(typeName);
}

/** What it takes to see anything of this object type: also what `node` asks for the type it finds. */
export function needOfType(typeName: string): Need {
  const ofNode = typeName.replace(/(Connection|Edge)$/, '');
  const need = needs.get(typeName) ?? needs.get(ofNode) ?? needOfPayload(typeName);
  if (need !== undefined) return need;
  throw new Error(`The type ${typeName} has no entry in accounts/permissions.ts: say there who may see it.`);
}

/** A payload is as open as its mutation, which has been asked for already; what lies in it has its own need. */
function needOfPayload(typeName: string): Need | undefined {
  const mutation = /^([A-Z])(\w*)Payload$/.exec(typeName);
  if (mutation === null) return undefined;
  return needs.get(`Mutation.${mutation[1]!.toLowerCase()}${mutation[2]}`);
}

/** Whether the viewer (null: nobody is signed in) has what is needed. */
export function may(viewer: Viewer | null, need: Need): boolean {
  if (need === 'ANYONE') return true;
  if (viewer === null) return false;
  if (need === 'SIGNED_IN') return true;
  if (need === 'ADMIN') return isAdmin(viewer);
  if (need === 'ADMIN_OR_KEY') return isAdmin(viewer) || viewer.apiKeyId !== null;
  return viewer.scopes.includes(need);
}

function isAdmin(viewer: Viewer): boolean {
  return viewer.role === 'OWNER' || viewer.role === 'ADMIN';
}

/** Fails with UNAUTHENTICATED when nobody is signed in, with FORBIDDEN when the viewer lacks what is needed. */
export function demand(viewer: Viewer | null, need: Need): void {
  if (may(viewer, need)) return;
  if (viewer === null) {
    throw new AppError('UNAUTHENTICATED', 'Nobody is signed in.', {
      fix: 'Sign in with logIn, or send "Authorization: Bearer" with a session token or an API key.',
    });
  }
  throw new AppError('FORBIDDEN', `${lack(need)} ${possession(viewer)}`, {
    fix:
      viewer.apiKeyId === null
        ? 'Ask an owner or admin of the account.'
        : 'Use a key that has the scope, or sign in.',
  });
}

function lack(need: Need): string {
  if (need === 'ADMIN' || need === 'ADMIN_OR_KEY') return 'This needs a member of role OWNER or ADMIN.';
  return `This needs the scope ${need}.`;
}

function possession(viewer: Viewer): string {
  if (viewer.role !== null) return `You are ${viewer.role}.`;
  return `This API key has ${viewer.scopes.join(', ')}.`;
}
