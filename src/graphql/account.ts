import { builder } from './builder.ts';
import { connectionOf, pageCost } from './connection.ts';
import { viewerOf } from './context.ts';
import { createdOrder } from './created-order.ts';
import { listRows } from './lists.ts';
import { findRow } from './rows.ts';

const Role = builder.enumType('Role', {
  description: 'What a member may do in the account.',
  values: {
    OWNER: { description: 'Everything. Whoever signed up.' },
    ADMIN: { description: 'Everything, API keys included.' },
    EDITOR: { description: 'Reads and changes settings, runs jobs, reads data. No API keys.' },
    VIEWER: { description: 'Reads settings and data, changes nothing.' },
  },
});

export const Scope = builder.enumType('Scope', {
  description:
    'DATA_READ reads warehouse data and metrics; CONTROL_READ sees settings; CONTROL_WRITE changes them and runs jobs.',
  values: {
    DATA_READ: { description: 'Reads tables and what is made of them.' },
    CONTROL_READ: { description: 'Sees sources, destinations, jobs, tasks and their logs.' },
    CONTROL_WRITE: { description: 'Changes settings and runs jobs.' },
  },
});

export const Project = builder.prismaNode('Project', {
  id: { field: 'id' },
  nullable: true,
  select: { id: true },
  description:
    'What everything but accounts and members belongs to. Its things are unknown in every other project. Needs a sign-in.',
  fields: (t) => ({
    slug: t.exposeString('slug', { description: 'A short name for addresses, unique in the account.' }),
    name: t.exposeString('name', { description: 'The name for people.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When the project was made.' }),
  }),
});

export const Member = builder.prismaNode('Member', {
  id: { field: 'id' },
  nullable: true,
  select: { id: true },
  description: 'A person who signs in. Needs CONTROL_READ.',
  fields: (t) => ({
    username: t.exposeString('username', {
      description: 'The name the member logs in with; unique in this Sluice.',
    }),
    email: t.exposeString('email', {
      description: 'The address the member can be reached at; unique in this Sluice.',
    }),
    role: t.expose('role', { type: Role, description: 'What the member may do in the account.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When the member was made.' }),
  }),
});

export const ApiKey = builder.prismaNode('ApiKey', {
  id: { field: 'id' },
  nullable: true,
  select: { id: true },
  description:
    "A program's access to one project. Only its prefix can be seen again, never its secret. Needs OWNER or ADMIN; a key sees itself.",
  fields: (t) => ({
    name: t.exposeString('name', { description: 'What the key is for.' }),
    prefix: t.exposeString('prefix', {
      description: 'The start of the secret, by which its holder can tell which key it is.',
    }),
    scopes: t.expose('scopes', { type: [Scope], description: 'What the key may do.', complexity: 1 }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When the key was made.' }),
    expiresAt: t.expose('expiresAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When the key ends by itself. Null when it does not.',
    }),
    lastUsedAt: t.expose('lastUsedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When the key was last used, to the minute. Null when it never was.',
    }),
  }),
});

const ProjectConnection = connectionOf(Project, 'Project', 'projects');
const MemberConnection = connectionOf(Member, 'Member', 'members');
const ApiKeyConnection = connectionOf(ApiKey, 'ApiKey', 'API keys');
const projectOrder = createdOrder('project', 'oldest first');
const memberOrder = createdOrder('member', 'oldest first');
const apiKeyOrder = createdOrder('apiKey', 'oldest first');

export const Account = builder.prismaNode('Account', {
  id: { field: 'id' },
  nullable: true,
  select: { id: true },
  description:
    'The tenant: owns members and projects. Everything else belongs to one project. Needs a sign-in.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'The name for people.' }),
    members: t.field({
      type: MemberConnection,
      description: 'Who can sign in to the account, oldest first. Needs CONTROL_READ.',
      args: t.arg.connectionArgs(),
      complexity: pageCost,
      // The visibility filter leaves the members of the viewer's account, which is the only account a viewer can reach.
      resolve: (_account, args, context, info) =>
        listRows({ context, info, args, type: 'Member', order: memberOrder }),
    }),
    projects: t.field({
      type: ProjectConnection,
      description: 'The projects of the account, oldest first; an API key sees its own only.',
      args: t.arg.connectionArgs(),
      complexity: pageCost,
      resolve: (_account, args, context, info) =>
        listRows({ context, info, args, type: 'Project', order: projectOrder }),
    }),
  }),
});

/** Nothing of its own: everything is read through the context's viewer. */
export const Viewer = builder.objectRef<object>('Viewer').implement({
  description: 'Whoever asks: a member by session, or a program by API key. Needs a sign-in.',
  fields: (t) => ({
    account: t.field({
      type: Account,
      description: 'The tenant the viewer belongs to.',
      resolve: async (_viewer, _args, context, info) =>
        (await findRow(context, info, 'Account', {})) as typeof Account.$inferType,
    }),
    project: t.field({
      type: Project,
      description: 'The project that everything the viewer asks for is looked for in.',
      resolve: async (_viewer, _args, context, info) =>
        (await findRow(context, info, 'Project', {
          id: viewerOf(context).projectId,
        })) as typeof Project.$inferType,
    }),
    member: t.field({
      type: Member,
      nullable: true,
      description: 'The member who signed in. Null for an API key. Needs CONTROL_READ.',
      resolve: (_viewer, _args, context, info) => {
        const { memberId } = viewerOf(context);
        return memberId === null
          ? null
          : findRow<typeof Member.$inferType>(context, info, 'Member', { id: memberId });
      },
    }),
    apiKey: t.field({
      type: ApiKey,
      nullable: true,
      description: 'The key that was sent. Null for a member.',
      resolve: (_viewer, _args, context, info) => {
        const { apiKeyId } = viewerOf(context);
        return apiKeyId === null
          ? null
          : findRow<typeof ApiKey.$inferType>(context, info, 'ApiKey', { id: apiKeyId });
      },
    }),
    scopes: t.field({
      type: [Scope],
      description: "What the viewer may do: the scopes of the key, or those of the member's role.",
      complexity: 1,
      resolve: (_viewer, _args, context) => [...viewerOf(context).scopes],
    }),
  }),
});

builder.queryFields((t) => ({
  viewer: t.field({
    type: Viewer,
    nullable: true,
    description: 'Whoever asks. Null when nobody is signed in. Anybody may ask.',
    resolve: (_root, _args, context) => (context.viewer === null ? null : {}),
  }),
  apiKeys: t.field({
    type: ApiKeyConnection,
    description:
      'The API keys of the project that were not revoked, oldest first. Needs OWNER or ADMIN; a key sees itself only.',
    args: t.arg.connectionArgs(),
    complexity: pageCost,
    resolve: (_root, args, context, info) =>
      listRows({ context, info, args, type: 'ApiKey', order: apiKeyOrder }),
  }),
}));
