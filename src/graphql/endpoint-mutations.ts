import type { Viewer } from '#accounts/viewer.ts';
import { InputError, inputError } from '#base/errors.ts';
import type { Json } from '#connectors/contract.ts';
import type { Author } from '#endpoints/change.ts';
import { publishEndpoint, restoreEndpoint } from '#endpoints/publish.ts';
import { readYaml } from '#endpoints/read-yaml.ts';
import { deleteEndpoint, deprecateEndpoint, saveEndpoint } from '#endpoints/save.ts';
import type { ServedRecord } from '#endpoints/served.ts';
import { testEndpoint } from '#endpoints/test-endpoint.ts';
import { builder } from './builder.ts';
import { viewerOf } from './context.ts';
import { bigIntOf, Endpoint, readBytesSays } from './endpoint.ts';
import { uuidOfInput } from './global-id.ts';
import { attempt, deletedId, payloadType, writtenThing } from './payload.ts';

const expectedRevision = 'Changes only this revision, CONFLICT otherwise. Null changes any.';

const UpsertEndpointInput = builder.inputType('UpsertEndpointInput', {
  description:
    'Saves the endpoint of the name and version that its declaration has: exactly one of declaration and yaml. What is served stays until publishEndpoint.',
  fields: (t) => ({
    declaration: t.field({
      type: 'JSON',
      description:
        'The declaration, as GET /api/endpoint.schema.json says it. Null when it is given as yaml.',
    }),
    yaml: t.string({ description: 'The declaration as YAML. Null when it is given as declaration.' }),
    publish: t.boolean({
      description:
        'Serves it at once, as publishEndpoint does; where that is refused, it is not saved either. Null for false.',
    }),
    expectedRevision: t.int({ description: expectedRevision }),
  }),
});

const TestEndpointInput = builder.inputType('TestEndpointInput', {
  description: 'What to test: exactly one of declaration and yaml.',
  fields: (t) => ({
    declaration: t.field({ type: 'JSON', description: 'The declaration. Null when it is given as yaml.' }),
    yaml: t.string({ description: 'The declaration as YAML. Null when it is given as declaration.' }),
  }),
});

const TestEndpointPayload = payloadType<ServedRecord>(
  'TestEndpointPayload',
  'What testEndpoint answers.',
  (t) => ({
    ok: t.boolean({
      description: 'Whether it could be served.',
      resolve: ({ value }) => value !== null,
    }),
    readBytes: t.field({
      type: 'BigInt',
      nullable: true,
      description: `${readBytesSays} Null also when there are userErrors.`,
      resolve: ({ value }) => bigIntOf(value?.readBytes),
    }),
  }),
);

const PublishEndpointInput = builder.inputType('PublishEndpointInput', {
  description: 'Which endpoint to serve as it was saved.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'The endpoint.' }),
    expectedRevision: t.int({ description: expectedRevision }),
  }),
});

const DeprecateEndpointInput = builder.inputType('DeprecateEndpointInput', {
  description: 'Which endpoint is to go, and when.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'The endpoint.' }),
    deprecated: t.boolean({ description: 'False takes it back. Null for true.' }),
    sunsetAt: t.field({
      type: 'DateTime',
      description: 'When it is to be served no longer. Null when that is open.',
    }),
    replacement: t.string({ description: 'What to use in its place, in words. Null for nothing.' }),
    expectedRevision: t.int({ description: expectedRevision }),
  }),
});

const RestoreEndpointInput = builder.inputType('RestoreEndpointInput', {
  description: 'Which declaration to bring back.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'The endpoint.' }),
    revision: t.int({ required: true, description: 'The revision whose declaration it is.' }),
    expectedRevision: t.int({ description: expectedRevision }),
  }),
});

const DeleteEndpointInput = builder.inputType('DeleteEndpointInput', {
  description: 'Which endpoint to delete.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'The endpoint.' }),
    expectedRevision: t.int({ description: expectedRevision }),
  }),
});

const endpointPayload = (mutation: string) =>
  payloadType<{ id: string }>(
    `${mutation[0]!.toUpperCase()}${mutation.slice(1)}Payload`,
    `What ${mutation} answers.`,
    (t) => ({
      endpoint: writtenThing(
        t,
        Endpoint,
        'Endpoint',
        'The endpoint as it is now. Null when there are userErrors. Needs CONTROL_READ.',
      ),
    }),
  );

const UpsertEndpointPayload = endpointPayload('upsertEndpoint');
const PublishEndpointPayload = endpointPayload('publishEndpoint');
const DeprecateEndpointPayload = endpointPayload('deprecateEndpoint');
const RestoreEndpointPayload = endpointPayload('restoreEndpoint');
const DeleteEndpointPayload = payloadType<{ id: string }>(
  'DeleteEndpointPayload',
  'What deleteEndpoint answers.',
  (t) => ({ deletedId: deletedId(t, 'Endpoint') }),
);

function authorOf({ projectId, memberId }: Viewer): Author {
  return { projectId, memberId, file: null };
}

const named = <Input extends { id: string }>(input: Input) => ({
  ...input,
  id: uuidOfInput('Endpoint', input.id),
});

/** The declaration of an input, whichever way it is given. Problems of YAML say where they are. */
function declarationOf({
  declaration,
  yaml,
}: {
  declaration?: Json | null | undefined;
  yaml?: string | null | undefined;
}): unknown {
  if ((declaration == null) === (yaml == null)) {
    const message =
      declaration == null ? 'Neither declaration nor yaml is given.' : 'declaration and yaml are both given.';
    throw inputError('REQUIRED', ['declaration'], message, 'Give exactly one of them.');
  }
  if (yaml == null) return declaration;
  const read = readYaml(yaml);
  if ('declaration' in read) return read.declaration;
  throw new InputError(
    read.problems.map(({ line, column, ...problem }) => ({
      ...problem,
      path: ['yaml', ...problem.path],
      message: `Line ${line}, column ${column}: ${problem.message}`,
    })),
  );
}

builder.mutationFields((t) => ({
  upsertEndpoint: t.field({
    type: UpsertEndpointPayload,
    description:
      'Saves the declaration of a data endpoint, and serves it if asked to: both or nothing. Needs CONTROL_WRITE.',
    args: { input: t.arg({ type: UpsertEndpointInput, required: true, description: 'The declaration.' }) },
    resolve: (_root, { input }, context) =>
      attempt(async () => {
        const { expectedRevision, publish } = input;
        return saveEndpoint(context.app.endpoints, authorOf(viewerOf(context)), {
          declaration: declarationOf(input),
          publish: publish ?? false,
          expectedRevision,
        });
      }),
  }),
  publishEndpoint: t.field({
    type: PublishEndpointPayload,
    description:
      'Serves an endpoint as it was saved, from the next call on. Refused when that would break those who call the version that is served, saying what breaks. Needs CONTROL_WRITE.',
    args: { input: t.arg({ type: PublishEndpointInput, required: true, description: 'Which endpoint.' }) },
    resolve: (_root, { input }, context) =>
      attempt(async () => publishEndpoint(context.app.endpoints, authorOf(viewerOf(context)), named(input))),
  }),
  deprecateEndpoint: t.field({
    type: DeprecateEndpointPayload,
    description:
      'Tells those who call an endpoint that it will go: by @deprecated in GraphQL, by the headers Deprecation and Sunset over REST. It is served as before. Needs CONTROL_WRITE.',
    args: {
      input: t.arg({
        type: DeprecateEndpointInput,
        required: true,
        description: 'Which endpoint, and when.',
      }),
    },
    resolve: (_root, { input }, context) =>
      attempt(async () =>
        deprecateEndpoint(context.app.endpoints, authorOf(viewerOf(context)), {
          ...named(input),
          deprecated: input.deprecated ?? true,
        }),
      ),
  }),
  restoreEndpoint: t.field({
    type: RestoreEndpointPayload,
    description:
      'Brings a declaration of before back, and serves it where the endpoint is served. Refused as publishEndpoint is. Needs CONTROL_WRITE.',
    args: { input: t.arg({ type: RestoreEndpointInput, required: true, description: 'Which declaration.' }) },
    resolve: (_root, { input }, context) =>
      attempt(async () => restoreEndpoint(context.app.endpoints, authorOf(viewerOf(context)), named(input))),
  }),
  deleteEndpoint: t.field({
    type: DeleteEndpointPayload,
    description:
      'Serves an endpoint no longer. Its name, version and route may be used again. Needs CONTROL_WRITE.',
    args: { input: t.arg({ type: DeleteEndpointInput, required: true, description: 'Which endpoint.' }) },
    resolve: (_root, { input }, context) =>
      attempt(async () => deleteEndpoint(context.app.endpoints, authorOf(viewerOf(context)), named(input))),
  }),
}));

builder.mutationFields((t) => ({
  testEndpoint: t.field({
    type: TestEndpointPayload,
    description:
      'Has the datastore look at the query of a declaration, without running it, and says what is wrong and what a call reads. Nothing is saved. Needs CONTROL_WRITE.',
    args: { input: t.arg({ type: TestEndpointInput, required: true, description: 'What to test.' }) },
    resolve: (_root, { input }, context) =>
      attempt(async () => {
        const { projectId } = viewerOf(context);
        return testEndpoint(context.app.endpoints, projectId, declarationOf(input));
      }),
  }),
}));
