import { Member } from './account.ts';
import { builder } from './builder.ts';

/** Every type that implements it has these fields anew, with what they select of its table. */
export const Resource = builder.interfaceRef<object>('Resource').implement({
  description:
    'A thing of the control plane: named, owned by one project, changed under a revision, deleted softly.',
  interfaces: [builder.nodeInterfaceRef()],
  fields: (t) => ({
    name: t.string({ description: 'Its name, unique among its like in the project.', resolve: ofType }),
    revision: t.int({
      description: 'Rises by one with every change; expectedRevision in updates means this.',
      resolve: ofType,
    }),
    createdAt: t.field({ type: 'DateTime', description: 'When it was made.', resolve: ofType }),
    updatedAt: t.field({ type: 'DateTime', description: 'When it was last changed.', resolve: ofType }),
    createdBy: t.field({
      type: Member,
      nullable: true,
      description: 'Who made it. Null for an API key, or a member who is gone.',
      resolve: ofType,
    }),
    updatedBy: t.field({
      type: Member,
      nullable: true,
      description: 'Who last changed it. Null for an API key, or a member who is gone.',
      resolve: ofType,
    }),
  }),
});

function ofType(): never {
  throw new Error('A type that implements Resource has not all of its fields.');
}
