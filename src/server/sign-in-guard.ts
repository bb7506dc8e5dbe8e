import { AppError, messageOf } from '#base/errors.ts';
import type { Viewer } from '#accounts/viewer.ts';
import type { Log } from '#base/log.ts';
import type { Credentials } from './credentials.ts';

/** Tells whom a token stands for; null for one that is unknown, expired or revoked. */
export type ViewerOf = (token: string) => Promise<Viewer | null>;

/** What the server asks accounts/ for. */
export interface Access {
  viewerOf: ViewerOf;
  /** The token of a new session for a one-time link's token. Fails with UNAUTHENTICATED. */
  signIn(linkToken: string): Promise<string>;
}

/** Something that lasts longer than the request that opened it, and must end with the right to it. */
export interface Lasting {
  token: string;
  /** The viewer as of the last look. */
  viewer: Viewer;
  /** Called when the token is worth nothing any more, or gives other rights than before. */
  end(reason: 'signed-out' | 'rights-changed'): void;
}

export interface SignInGuard extends AsyncDisposable {
  /** The viewer, or null for nobody. Fails with UNAUTHENTICATED for a token that is worth nothing. */
  admit(credentials: Credentials | null): Promise<Viewer | null>;
  /** Ends `lasting` within seconds of its token's end. Call what is returned when it is over by itself. */
  watch(lasting: Lasting): () => void;
  /** Looks once at every watched token. */
  check(): Promise<void>;
}

/** Tokens looked up at once during a check. */
const lookupsMax = 4;

/** Each distinct token costs one statement in `everyMs`, however many subscriptions hang on it. */
export function createSignInGuard(viewerOf: ViewerOf, log: Log, everyMs: number): SignInGuard {
  const watched = new Map<string, Set<Lasting>>();
  let checking: Promise<void> = Promise.resolve();
  let timer = setTimeout(tick, everyMs);
  let closed = false;

  function tick(): void {
    checking = check().finally(() => {
      if (!closed) timer = setTimeout(tick, everyMs);
    });
  }

  async function check(): Promise<void> {
    const tokens = watched.keys();
    await Promise.all(
      Array.from({ length: lookupsMax }, async () => {
        for (const token of tokens) await checkToken(token);
      }),
    );
  }

  async function checkToken(token: string): Promise<void> {
    try {
      const viewer = await viewerOf(token);
      for (const lasting of watched.get(token) ?? []) {
        if (!viewer) lasting.end('signed-out');
        else if (rightsOf(viewer) !== rightsOf(lasting.viewer)) lasting.end('rights-changed');
      }
    } catch (error) {
      // A store that does not answer says nothing about the token; the next check asks again.
      log.warn('Could not look up a token again', { error: messageOf(error) });
    }
  }

  return {
    async admit(credentials) {
      if (!credentials) return null;
      const viewer = await viewerOf(credentials.token);
      if (viewer) return viewer;
      throw new AppError(
        'UNAUTHENTICATED',
        `The token sent by ${credentials.from} is unknown, expired or revoked.`,
        {
          fix: 'Sign in again with logIn, or use another API key. To ask without signing in, send no token.',
        },
      );
    },
    watch(lasting) {
      const group = watched.get(lasting.token) ?? new Set();
      watched.set(lasting.token, group.add(lasting));
      return () => {
        group.delete(lasting);
        if (group.size === 0 && watched.get(lasting.token) === group) watched.delete(lasting.token);
      };
    },
    check,
    async [Symbol.asyncDispose]() {
      closed = true;
      clearTimeout(timer);
      await checking;
    },
  };
}

function rightsOf(viewer: Viewer): string {
  return JSON.stringify([viewer.accountId, viewer.projectId, viewer.role, [...viewer.scopes].sort()]);
}
