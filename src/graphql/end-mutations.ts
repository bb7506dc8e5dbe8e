import type { ObjectRef } from '@pothos/core';
import type { Viewer } from '#accounts/viewer.ts';
import type { PipelineDeps } from '#pipelines/deps.ts';
import type { CreateEndInput, UpdateEndInput } from '#pipelines/ends.ts';
import type { testSource } from '#pipelines/test-end.ts';
import { builder } from './builder.ts';
import { viewerOf } from './context.ts';
import { uuidOfInput } from './global-id.ts';
import {
  attempt,
  attemptCheck,
  checkPayload,
  deletedId,
  payloadType,
  savedOrNew,
  writtenThing,
} from './payload.ts';

/** A source and a destination are made, changed, deleted and tested alike; here is what differs. */
interface End<Row extends object> {
  name: 'Source' | 'Destination';
  type: ObjectRef<typeof builder.$inferSchemaTypes, Row>;
  /** The type of a connector, as an example. */
  example: string;
  /** What config says. */
  config: string;
  /** What jobs do with it. */
  use: string;
  create: (
    deps: PipelineDeps,
    viewer: Viewer,
    input: CreateEndInput & { idempotencyKey?: string | null | undefined },
  ) => Promise<{ id: string }>;
  update: (deps: PipelineDeps, viewer: Viewer, input: UpdateEndInput) => Promise<{ id: string }>;
  delete: (deps: PipelineDeps, viewer: Viewer, input: { id: string }) => Promise<{ id: string }>;
  test: typeof testSource;
}

/** Adds the mutations create, update, delete and test of sources or of destinations, with their inputs and payloads. */
export function addEndMutations<Row extends object>(end: End<Row>): void {
  addCreate(end);
  addUpdate(end);
  addDelete(end);
  addTest(end);
}

/** The fields of something that is tried: saved, or not yet. */
export function triedInput(name: string, kind: string, saved: string, config: string) {
  return builder.inputType(name, {
    description: 'type, version and config of something new, or id of something saved.',
    fields: (t) => ({
      id: t.id({ description: saved }),
      type: t.string({ description: `The type of a ${kind} connector. Null with id.` }),
      version: t.string({
        description: 'The version of the connector. Null for the newest, and with id.',
      }),
      config: t.field({ type: 'JSON', description: config }),
    }),
  });
}

function addCreate<Row extends object>(end: End<Row>): void {
  const kind = end.name.toLowerCase();
  const Input = builder.inputType(`Create${end.name}Input`, {
    description: `A new ${kind}.`,
    fields: (t) => ({
      name: t.string({
        required: true,
        description: `Its name, unique among the ${kind}s of the project.`,
      }),
      type: t.string({
        required: true,
        description: `The type of a ${kind} connector, such as "${end.example}".`,
      }),
      version: t.string({ description: 'The version of the connector. Null for the newest.' }),
      config: t.field({
        type: 'JSON',
        required: true,
        description: `${end.config}, as the connector's spec says. Secret fields are kept sealed.`,
      }),
      idempotencyKey: t.string({
        description:
          'Any text of your own: a repeat with the same key and input makes nothing new, and returns what the first made. Null for none.',
      }),
    }),
  });
  builder.mutationField(`create${end.name}`, (t) =>
    t.field({
      type: writtenPayload(end, 'create', `The new ${kind}.`),
      description: `Makes a ${kind}. Its config is checked against the connector's spec, not tried: see test${end.name}. Needs CONTROL_WRITE.`,
      args: { input: t.arg({ type: Input, required: true, description: `The new ${kind}.` }) },
      resolve: (_root, { input }, context) =>
        attempt(() =>
          end.create(context.app.pipelines, viewerOf(context), { ...input, config: input.config }),
        ),
    }),
  );
}

function addUpdate<Row extends object>(end: End<Row>): void {
  const kind = end.name.toLowerCase();
  const Input = builder.inputType(`Update${end.name}Input`, {
    description: 'A secret left out of config keeps its value; null clears it.',
    fields: (t) => ({
      id: t.id({ required: true, description: `The ${kind} to change.` }),
      name: t.string({ description: 'Its new name. Null or left out, it keeps the old one.' }),
      version: t.string({ description: "The connector's new version. Null or left out, it stays." }),
      config: t.field({
        type: 'JSON',
        description: 'The new config, whole but for secrets. Null or left out, it stays.',
      }),
      expectedRevision: t.int({
        description: 'Changes only this revision, CONFLICT otherwise. Null changes any.',
      }),
    }),
  });
  builder.mutationField(`update${end.name}`, (t) =>
    t.field({
      type: writtenPayload(end, 'update', `The ${kind} as it is now.`),
      description: `Changes a ${kind}; running tasks go on with what they began with. Needs CONTROL_WRITE.`,
      args: {
        input: t.arg({ type: Input, required: true, description: `The ${kind} and its changes.` }),
      },
      resolve: (_root, { input }, context) =>
        attempt(async () =>
          end.update(context.app.pipelines, viewerOf(context), {
            ...input,
            id: uuidOfInput(end.name, input.id),
            config: input.config ?? undefined,
          }),
        ),
    }),
  );
}

function addDelete<Row extends object>(end: End<Row>): void {
  const kind = end.name.toLowerCase();
  const Input = builder.inputType(`Delete${end.name}Input`, {
    description: `Which ${kind} to delete.`,
    fields: (t) => ({
      id: t.id({ required: true, description: `The ${kind}. It must not be in use by a job.` }),
    }),
  });
  const Payload = payloadType<{ id: string }>(
    `Delete${end.name}Payload`,
    `What delete${end.name} answers.`,
    (t) => ({ deletedId: deletedId(t, end.name) }),
  );
  builder.mutationField(`delete${end.name}`, (t) =>
    t.field({
      type: Payload,
      description: `Deletes a ${kind}; IN_USE names the jobs that ${end.use}. Its name may be used again. Needs CONTROL_WRITE.`,
      args: { input: t.arg({ type: Input, required: true, description: `Which ${kind}.` }) },
      resolve: (_root, { input }, context) =>
        attempt(async () =>
          end.delete(context.app.pipelines, viewerOf(context), { id: uuidOfInput(end.name, input.id) }),
        ),
    }),
  );
}

function addTest<Row extends object>(end: End<Row>): void {
  const kind = end.name.toLowerCase();
  const Input = triedInput(
    `Test${end.name}Input`,
    kind,
    `A saved ${kind}, tried as it is saved. Null for something new.`,
    'The config to try. Null with id.',
  );
  const name = `test${end.name}`;
  builder.mutationField(name, (t) =>
    t.field({
      type: checkPayload(`Test${end.name}Payload`, `What ${name} answers.`),
      description: 'Tries to reach the system, within 30 s. Saves nothing. Needs CONTROL_WRITE.',
      args: { input: t.arg({ type: Input, required: true, description: 'What to try.' }) },
      resolve: (_root, { input }, context) =>
        attemptCheck(async () =>
          end.test(context.app.pipelines, viewerOf(context), savedOrNew(end.name, input)),
        ),
    }),
  );
}

function writtenPayload<Row extends object>(end: End<Row>, verb: 'create' | 'update', words: string) {
  const name = `${verb}${end.name}`;
  return payloadType<{ id: string }>(
    `${name[0]?.toUpperCase()}${name.slice(1)}Payload`,
    `What ${name} answers.`,
    (t) => ({
      [end.name.toLowerCase()]: writtenThing(
        t,
        end.type,
        end.name,
        `${words} Null when there are userErrors. Needs CONTROL_READ.`,
      ),
    }),
  );
}
