import type PrismaTypes from '#generated/pothos.ts';
import { Member } from './account.ts';
import { builder } from './builder.ts';

const changed = 'Rises by one with every change; expectedRevision in updates means this.';
const nobody = 'Null for an API key, or a member who is gone.';

/** Every type that implements it has these fields anew, with what they select of its table: resourceFields. */
export const Resource = builder.interfaceRef<object>('Resource').implement({
  description:
    'A thing of the control plane: named, owned by one project, changed under a revision, deleted softly.',
  interfaces: [builder.nodeInterfaceRef()],
  fields: (t) => ({
    name: t.string({ description: 'Its name, unique among its like in the project.', resolve: ofType }),
    revision: t.int({ description: changed, resolve: ofType }),
    createdAt: t.field({ type: 'DateTime', description: 'When it was made.', resolve: ofType }),
    updatedAt: t.field({ type: 'DateTime', description: 'When it was last changed.', resolve: ofType }),
    createdBy: t.field({
      type: Member,
      nullable: true,
      description: `Who made it. ${nobody}`,
      resolve: ofType,
    }),
    updatedBy: t.field({
      type: Member,
      nullable: true,
      description: `Who last changed it. ${nobody}`,
      resolve: ofType,
    }),
  }),
});

function ofType(): never {
  throw new Error('A type that implements Resource has not all of its fields.');
}

type FieldsOf<Model extends keyof PrismaTypes> = PothosSchemaTypes.PrismaObjectFieldBuilder<
  (typeof builder)['$inferSchemaTypes'],
  PrismaTypes[Model]
>;

/** The fields of Resource, of a type whose table has its columns and relations. */
export function resourceFields(
  of: object,
  {
    name,
    revision = changed,
    by = nobody,
  }: {
    /** What the name is, and among what it is unique. */
    name: string;
    revision?: string;
    /** When createdBy and updatedBy are null, and what reading them takes. */
    by?: string;
  },
) {
  // The columns and relations are the same in each of these tables, and the builder knows its own.
  const t = of as FieldsOf<'Job'>;
  return {
    name: t.exposeString('name', { description: name }),
    revision: t.exposeInt('revision', { description: revision }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was made.' }),
    updatedAt: t.expose('updatedAt', { type: 'DateTime', description: 'When it was last changed.' }),
    createdBy: t.relation('createdBy', { nullable: true, description: `Who made it. ${by}` }),
    updatedBy: t.relation('updatedBy', { nullable: true, description: `Who last changed it. ${by}` }),
  };
}
