import { readFileSync } from 'node:fs';
import path from 'node:path';
import { AppError } from '#base/errors.ts';
import { logLevels, type LogThreshold } from '#base/log.ts';
import { nearest } from '#base/nearest.ts';
import { readHost } from '#base/outgoing.ts';

export interface Config {
  /** Undefined for the embedded PostgreSQL. */
  databaseUrl: string | undefined;
  /** Absolute. */
  home: string;
  host: string;
  /** 0 takes a free one. */
  port: number;
  /** Absolute. */
  filesRoot: string;
  /** Absolute; it need not be there. */
  endpoints: string;
  /** 32 bytes. Undefined for the key file of the home. */
  secretKey: Buffer | undefined;
  signUp: 'first' | 'open' | 'closed';
  /** Tasks that this process runs at once. */
  workers: number;
  /** What the kept answers of warehouses may take in memory. */
  cacheMb: number;
  /** Hosts, or host:port, that webhooks may go to though their addresses are not public. */
  webhookHosts: readonly string[];
  /** Hosts, or host:port, at which a cloud warehouse may be spoken to without TLS: its emulators. */
  emulatorHosts: readonly string[];
  /** Which engine the demo's warehouse is on. */
  demoWarehouse: 'duckdb' | 'postgres';
  logLevel: LogThreshold;
}

/** Where a client finds its gateway, and who asks. */
export interface ClientConfig {
  /** Without a path: http://127.0.0.1:4000 */
  url: string;
  token: string | undefined;
}

/** Settings that cannot be used, every one of them; no secret is among the words. */
export class ConfigError extends AppError {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super('BAD_USER_INPUT', problems.join('\n'), { fix: 'See docs/configuration.md for every setting.' });
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

export interface Setting {
  name: string;
  /** As it would be written; null where the description says what happens without it. */
  default: string | null;
  allowed: string;
  description: string;
}

/** Every variable that Sluice reads. docs/configuration.md and .env.example list the same. */
export const settings = [
  {
    name: 'DATABASE_URL',
    default: null,
    allowed: 'a postgresql:// URL',
    description: 'PostgreSQL of the metadata store; without it an embedded one under the home',
  },
  {
    name: 'SLUICE_HOME',
    default: '.sluice',
    allowed: 'a folder',
    description: 'the embedded PostgreSQL, the embedded warehouses and the key file; made when missing',
  },
  {
    name: 'SLUICE_HOST',
    default: '127.0.0.1',
    allowed: 'a host name or address',
    description: 'where the gateway listens',
  },
  {
    name: 'SLUICE_PORT',
    default: '4000',
    allowed: 'a whole number from 0 to 65535; 0 takes a free one',
    description: 'where the gateway listens',
  },
  {
    name: 'SLUICE_FILES_ROOT',
    default: './data',
    allowed: 'a folder',
    description: 'the one folder that file sources read and file destinations write',
  },
  {
    name: 'SLUICE_ENDPOINTS',
    default: './endpoints',
    allowed: 'a folder',
    description: 'YAML files of data endpoints, served and watched; it need not be there',
  },
  {
    name: 'SLUICE_SECRET_KEY',
    default: null,
    allowed: '32 bytes as base64 or hex',
    description: 'seals the secrets of configs; without it a key file of mode 0600 is made in the home',
  },
  {
    name: 'SLUICE_SIGN_UP',
    default: 'first',
    allowed: 'first, open or closed',
    description: 'who may sign up; first only while no account exists',
  },
  {
    name: 'SLUICE_WORKERS',
    default: '2',
    allowed: 'a whole number from 0 to 64',
    description: 'tasks that this process runs at once; 0 runs none, and evaluates no signals',
  },
  {
    name: 'SLUICE_WEBHOOK_HOSTS',
    default: null,
    allowed: 'hosts or host:port, parted by commas',
    description: 'where webhooks may go though the address is not public; without it nowhere',
  },
  {
    name: 'SLUICE_EMULATOR_HOSTS',
    default: null,
    allowed: 'hosts or host:port, parted by commas',
    description:
      'where a datastore on a cloud engine may be reached besides its own domains, without TLS; without it nowhere',
  },
  {
    name: 'SLUICE_CACHE_MB',
    default: '64',
    allowed: 'a whole number from 0 to 65536',
    description: 'megabytes that kept answers of warehouses may take; 0 keeps none',
  },
  {
    name: 'SLUICE_DEMO_WAREHOUSE',
    default: 'duckdb',
    allowed: 'duckdb or postgres',
    description: 'what the demo fills: the embedded DuckDB, or a PostgreSQL database of its own',
  },
  {
    name: 'SLUICE_LOG_LEVEL',
    default: 'info',
    allowed: 'debug, info, warn, error or silent',
    description: 'the least that is logged',
  },
  {
    name: 'SLUICE_URL',
    default: null,
    allowed: 'an http:// or https:// URL without a path',
    description: 'where the gateway is, for clients; without it host and port of above',
  },
  {
    name: 'SLUICE_TOKEN',
    default: null,
    allowed: 'a session token or an API key',
    description: "who asks, for clients; without it what the home's file token holds",
  },
] as const satisfies Setting[];

type Name = (typeof settings)[number]['name'];

/** The settings of a process that opens the store. Fails with ConfigError naming every problem. */
export function readConfig(env: NodeJS.ProcessEnv): Config {
  const read = new Reader(env);
  const config: Config = {
    databaseUrl: read.databaseUrl(),
    home: path.resolve(read.text('SLUICE_HOME')),
    host: read.host(),
    port: read.integer('SLUICE_PORT', 0, 65_535),
    filesRoot: path.resolve(read.text('SLUICE_FILES_ROOT')),
    endpoints: path.resolve(read.text('SLUICE_ENDPOINTS')),
    secretKey: read.secretKey(),
    signUp: read.oneOf('SLUICE_SIGN_UP', ['first', 'open', 'closed']),
    workers: read.integer('SLUICE_WORKERS', 0, 64),
    cacheMb: read.integer('SLUICE_CACHE_MB', 0, 65_536),
    webhookHosts: read.hosts('SLUICE_WEBHOOK_HOSTS'),
    emulatorHosts: read.hosts('SLUICE_EMULATOR_HOSTS'),
    demoWarehouse: read.oneOf('SLUICE_DEMO_WAREHOUSE', ['duckdb', 'postgres']),
    logLevel: read.oneOf('SLUICE_LOG_LEVEL', logLevels),
  };
  read.apart(config);
  read.finish();
  return config;
}

/** The settings of a client of a gateway. Fails with ConfigError naming every problem. */
export function readClientConfig(env: NodeJS.ProcessEnv): ClientConfig {
  const read = new Reader(env);
  const host = read.host();
  const port = read.integer('SLUICE_PORT', 0, 65_535);
  const url = read.gatewayUrl();
  const token = read.optional('SLUICE_TOKEN') ?? readToken(path.resolve(read.text('SLUICE_HOME')));
  read.finish();
  return { url: url ?? `http://${reachable(host)}:${port}`, token };
}

/** Where the endpoints folder is: all that reading it takes. */
export function readEndpointsFolder(env: NodeJS.ProcessEnv): string {
  return path.resolve(new Reader(env).text('SLUICE_ENDPOINTS'));
}

/** The address at which a client reaches what listens on `host`. */
function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}

function readToken(home: string): string | undefined {
  try {
    return readFileSync(path.join(home, 'token'), 'utf8').trim() || undefined;
  } catch {
    // None was left there, or it is another user's: who asks is then nobody, and the gateway says so.
    return undefined;
  }
}

/** Reads one variable at a time and collects what is wrong, so that all of it is told at once. */
class Reader {
  private readonly env: NodeJS.ProcessEnv;
  private readonly problems: string[] = [];

  constructor(env: NodeJS.ProcessEnv) {
    this.env = env;
  }

  /** Undefined when it is not set; a variable set to nothing counts as that. */
  optional(name: Name): string | undefined {
    return this.env[name] || undefined;
  }

  text(name: Name): string {
    return this.optional(name) ?? settingOf(name).default ?? '';
  }

  integer(name: Name, min: number, max: number): number {
    const text = this.text(name);
    const value = /^\d{1,6}$/.test(text) ? Number(text) : NaN;
    if (!(value >= min && value <= max)) this.wrong(name, `"${text}"`);
    return value;
  }

  oneOf<T extends string>(name: Name, allowed: readonly T[]): T {
    const text = this.text(name);
    const found = allowed.find((value) => value === text);
    if (found !== undefined) return found;
    const meant = nearest(text, allowed);
    this.wrong(name, `"${text}"`, meant && `Did you mean ${meant}?`);
    return allowed[0] as T;
  }

  host(): string {
    const text = this.text('SLUICE_HOST');
    if (!/^[\w.:%-]+$/.test(text)) this.wrong('SLUICE_HOST', `"${text}"`);
    return text;
  }

  hosts(name: Name): string[] {
    const texts = (this.optional(name) ?? '').split(',').filter((text) => text.trim() !== '');
    return texts.flatMap((text) => {
      const host = readHost(text);
      if (host === null) this.wrong(name, `"${text.trim()}"`, 'Name a host without scheme and path.');
      return host ?? [];
    });
  }

  databaseUrl(): string | undefined {
    const text = this.optional('DATABASE_URL');
    if (text === undefined) return undefined;
    if (!URL.canParse(text)) {
      this.wrong('DATABASE_URL', 'no URL', 'Special characters in its password must be percent-encoded.');
      return text;
    }
    const { protocol, host } = new URL(text);
    if (protocol !== 'postgresql:' && protocol !== 'postgres:') {
      this.wrong('DATABASE_URL', `a URL that starts with "${protocol}"${host && ` and leads to ${host}`}`);
    }
    return text;
  }

  secretKey(): Buffer | undefined {
    const text = this.optional('SLUICE_SECRET_KEY')?.trim();
    if (text === undefined) return undefined;
    if (/^[0-9a-f]{64}$/i.test(text)) return Buffer.from(text, 'hex');
    const key = /^[\w+/-]+={0,2}$/.test(text) ? Buffer.from(text, 'base64') : Buffer.alloc(0);
    if (key.length === 32) return key;
    const made = 'Make one with: openssl rand -base64 32';
    this.wrong(
      'SLUICE_SECRET_KEY',
      key.length === 0 ? 'neither base64 nor hex' : `${key.length} bytes long`,
      made,
    );
    return undefined;
  }

  gatewayUrl(): string | undefined {
    const text = this.optional('SLUICE_URL');
    if (text === undefined) return undefined;
    const url = URL.canParse(text) ? new URL(text) : undefined;
    const usable = url && /^https?:$/.test(url.protocol) && !url.username && !url.password;
    // A URL copied from the address bar ends in /graphql: it says where the gateway is all the same.
    if (usable && /^\/(graphql)?$/.test(url.pathname) && !url.search) return url.origin;
    this.wrong('SLUICE_URL', url?.password ? 'a URL with a password' : `"${text}"`);
    return undefined;
  }

  /** File sources read the files root, so the home with its secrets must not lie in it. Hidden folders they never read. */
  apart({ home, filesRoot }: Pick<Config, 'home' | 'filesRoot'>): void {
    const within = path.relative(filesRoot, home);
    const isHidden = within.split(path.sep).some((name) => name.startsWith('.'));
    if (isHidden || path.isAbsolute(within)) return;
    const is = `"${home}", which lies in SLUICE_FILES_ROOT ("${filesRoot}"), where sources read`;
    this.wrong('SLUICE_HOME', is, 'Take one outside of it.');
  }

  /** Throws when anything was wrong; a variable of ours that nobody reads is. */
  finish(): void {
    const names: string[] = settings.map((setting) => setting.name);
    for (const name of Object.keys(this.env).sort()) {
      if (!name.startsWith('SLUICE_') || names.includes(name)) continue;
      const meant = nearest(name, names);
      this.problems.push(
        `${name} is no setting. ${meant ? `Did you mean ${meant}?` : `There are ${names.join(', ')}.`}`,
      );
    }
    if (this.problems.length > 0) throw new ConfigError(this.problems);
  }

  private wrong(name: Name, is: string, more?: string): void {
    this.problems.push(`${name} is ${is}; allowed is ${settingOf(name).allowed}.${more ? ` ${more}` : ''}`);
  }
}

function settingOf(name: Name): Setting {
  return settings.find((setting) => setting.name === name) as Setting;
}
