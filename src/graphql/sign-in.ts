import { createApiKey, revokeApiKey } from '#accounts/api-keys.ts';
import { logIn, logOut } from '#accounts/log-in.ts';
import type { SignedIn } from '#accounts/sessions.ts';
import { signUp } from '#accounts/sign-up.ts';
import { ApiKey, Scope, Viewer } from './account.ts';
import { builder } from './builder.ts';
import { type Context, viewerOf } from './context.ts';
import { uuidOfInput } from './global-id.ts';
import { attempt, deletedId, type Payload, payloadType } from './payload.ts';
import { readRow } from './rows.ts';

const SignUpInput = builder.inputType('SignUpInput', {
  description: 'A new account and its owner.',
  fields: (t) => ({
    email: t.string({
      required: true,
      description: 'Where the owner can be reached; unique in this Sluice.',
    }),
    username: t.string({
      required: true,
      description: 'What the owner logs in with; unique in this Sluice.',
    }),
    password: t.string({
      required: true,
      description: 'What only the owner knows. Kept as a hash that cannot be turned back.',
    }),
    accountName: t.string({ description: 'The name of the account. Null for the username.' }),
  }),
});

const LogInInput = builder.inputType('LogInInput', {
  description: 'Who signs in.',
  fields: (t) => ({
    username: t.string({ required: true, description: 'The username, or the email address.' }),
    password: t.string({ required: true, description: 'The password.' }),
  }),
});

const CreateApiKeyInput = builder.inputType('CreateApiKeyInput', {
  description: 'A new API key for the project.',
  fields: (t) => ({
    name: t.string({ required: true, description: 'What the key is for.' }),
    scopes: t.field({ type: [Scope], required: true, description: 'What the key may do; at least one.' }),
    expiresAt: t.field({ type: 'DateTime', description: 'When it ends by itself. Null for never.' }),
  }),
});

const RevokeApiKeyInput = builder.inputType('RevokeApiKeyInput', {
  description: 'Which API key to end.',
  fields: (t) => ({ id: t.id({ required: true, description: 'The key.' }) }),
});

const SignUpPayload = signedInPayload('SignUpPayload', 'What signUp answers.');
const LogInPayload = signedInPayload(
  'LogInPayload',
  'The session is set as a cookie, and returned as token for clients that send Authorization: Bearer.',
);
const LogOutPayload = payloadType<void>('LogOutPayload', 'What logOut answers.');
const CreateApiKeyPayload = payloadType<{ id: string; secret: string }>(
  'CreateApiKeyPayload',
  'secret is shown this once.',
  (t) => ({
    apiKey: t.field({
      type: ApiKey,
      nullable: true,
      description: 'The new key. Null when there are userErrors.',
      resolve: ({ value }, _args, context, info) =>
        readRow<typeof ApiKey.$inferType>(context, info, 'ApiKey', value?.id),
    }),
    secret: t.string({
      nullable: true,
      description:
        'What the program sends as Authorization: Bearer. Cannot be read again. Null when there are userErrors.',
      resolve: ({ value }) => value?.secret,
    }),
  }),
);
const RevokeApiKeyPayload = payloadType<{ id: string }>(
  'RevokeApiKeyPayload',
  'What revokeApiKey answers.',
  (t) => ({
    deletedId: deletedId(t, 'ApiKey'),
  }),
);

builder.mutationFields((t) => ({
  signUp: t.field({
    type: SignUpPayload,
    description:
      'Makes an account with its owner and first project, and signs in. Who may is set by SLUICE_SIGN_UP.',
    args: { input: t.arg({ type: SignUpInput, required: true, description: 'The account and its owner.' }) },
    resolve: (_root, { input }, context) => signIn(context, () => signUp(context.app.accounts, input)),
  }),
  logIn: t.field({
    type: LogInPayload,
    description:
      'Signs a member in. Anybody may try; after too many wrong passwords for one member it is RATE_LIMITED for a while.',
    args: { input: t.arg({ type: LogInInput, required: true, description: 'Who, and the password.' }) },
    resolve: (_root, { input }, context) => signIn(context, () => logIn(context.app.accounts, input)),
  }),
  logOut: t.field({
    type: LogOutPayload,
    description: 'Ends the session, and clears its cookie. Does nothing when nobody is signed in.',
    resolve: (_root, _args, context) =>
      attempt(async () => {
        await logOut(context.app.accounts, context.viewer);
        context.viewer = null;
        context.setSessionCookie(null);
      }),
  }),
  createApiKey: t.field({
    type: CreateApiKeyPayload,
    description: 'Makes an API key for the project. Needs OWNER or ADMIN.',
    args: { input: t.arg({ type: CreateApiKeyInput, required: true, description: 'The new key.' }) },
    resolve: (_root, { input }, context) =>
      attempt(async () => {
        const { apiKey, secret } = await createApiKey(context.app.accounts, viewerOf(context), input);
        return { id: apiKey.id, secret };
      }),
  }),
  revokeApiKey: t.field({
    type: RevokeApiKeyPayload,
    description: 'Ends an API key, at once and for good. Needs OWNER or ADMIN.',
    args: { input: t.arg({ type: RevokeApiKeyInput, required: true, description: 'Which key.' }) },
    resolve: (_root, { input }, context) =>
      attempt(async () =>
        revokeApiKey(context.app.accounts, viewerOf(context), { id: uuidOfInput('ApiKey', input.id) }),
      ),
  }),
}));

function signedInPayload(name: string, description: string) {
  return payloadType<SignedIn>(name, description, (t) => ({
    viewer: t.field({
      type: Viewer,
      nullable: true,
      description: 'Who is signed in now. Null when there are userErrors.',
      resolve: ({ value }) => (value === null ? null : {}),
    }),
    token: t.string({
      nullable: true,
      description:
        'The session, for clients that send Authorization: Bearer. Null when there are userErrors.',
      resolve: ({ value }) => value?.token,
    }),
  }));
}

/** What follows in the same operation is read and done as the new viewer. */
async function signIn(context: Context, enter: () => Promise<SignedIn>): Promise<Payload<SignedIn>> {
  const entered = await attempt(enter);
  if (entered.value !== null) {
    context.viewer = entered.value.viewer;
    context.setSessionCookie(entered.value.token);
  }
  return entered;
}
