import { jsonSchemaOf } from '#connectors/column-type.ts';
import type { StreamInfo } from '#connectors/contract.ts';
import { builder } from './builder.ts';
import { SyncMode } from './connector.ts';

export const Stream = builder.objectRef<StreamInfo>('Stream').implement({
  description: 'A table, collection or file set that a source offers. Needs CONTROL_READ.',
  fields: (t) => ({
    namespace: t.exposeString('namespace', {
      nullable: true,
      description:
        'What it lies in there, such as the schema of a table. Null where the source has no such thing.',
    }),
    name: t.exposeString('name', { description: 'Its name in its namespace.' }),
    jsonSchema: t.field({
      type: 'JSON',
      description: 'JSON Schema of a row: the columns with their types.',
      resolve: (stream) => jsonSchemaOf(stream.columns),
    }),
    syncModes: t.field({
      type: [SyncMode],
      description: 'How much of it can be read.',
      resolve: ({ syncModes }) => [...syncModes],
    }),
    primaryKey: t.exposeStringList('primaryKey', {
      description: 'The columns that tell its rows apart. Empty when the source knows of none.',
    }),
    cursorFields: t.exposeStringList('cursorFields', {
      description: 'The columns that INCREMENTAL may go by. Empty when it needs none.',
    }),
    comparable: t.boolean({
      description: 'Whether INCREMENTAL may go by difference.',
      resolve: ({ comparable }) => comparable ?? false,
    }),
    estimatedRows: t.expose('estimatedRows', {
      type: 'BigInt',
      nullable: true,
      description: 'About how many rows it has. Null when the source cannot say.',
    }),
  }),
});
