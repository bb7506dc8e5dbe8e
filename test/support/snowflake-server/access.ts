import { readsOf } from '#warehouse/snowflake-reads.ts';
import type { Token } from '#warehouse/select-reads.ts';
import { Refusal } from './engine.ts';

/** What a role may do to one thing, or to all that lies within it. */
interface Grant {
  privileges: string[];
  on: 'WAREHOUSE' | 'DATABASE' | 'SCHEMA' | 'TABLE';
  path: string[];
  /** On all within the path, those to come included. */
  within: boolean;
}

interface Warehouse {
  isSuspended: boolean;
  resumes: boolean;
}

/** Whose statement it is, and where it would compute. */
export interface Who {
  /** Null for the user's own role, which may do everything. */
  role: string | null;
  warehouse: string;
  /** No other role of the user's counts beside it. */
  isAlone?: boolean;
}

/** What the information schema shows, as regular expressions over whole names. */
export interface Seen {
  schemas: string;
  tables: string;
}

/** Kinds of things whose grants are those of a table. */
const tables = ['TABLE', 'TABLES', 'VIEW', 'VIEWS'];

/** Roles with their grants, and virtual warehouses, as SQL makes them. */
export class Access {
  readonly #roles = new Map<string, Grant[]>();
  /** What the user was granted: all of them count in each session that does not say otherwise. */
  readonly #ofUser = new Set<string>();
  readonly #warehouses = new Map<string, Warehouse>([['WH', { isSuspended: false, resumes: true }]]);

  hasRole(name: string): boolean {
    return this.#roles.has(name);
  }

  /** Does what the statement says, when it is about roles, users or warehouses; else gives false. */
  administer(tokens: readonly Token[]): boolean {
    const words = tokens.map(({ text }) => text);
    const [verb, ...rest] = words;
    const name = rest.find((_, at) => tokens[at + 1]!.kind === 'name') ?? '';
    if (verb === 'USE' || (verb === 'CREATE' && rest[0] === 'USER')) return true;
    if (verb === 'CREATE' && rest[0] === 'ROLE') {
      if (!this.hasRole(name)) this.#roles.set(name, []);
      return true;
    }
    if (rest[0] === 'WAREHOUSE' && (verb === 'CREATE' || verb === 'ALTER' || verb === 'DROP')) {
      this.#change(verb, name, rest.join(' '));
      return true;
    }
    if (verb !== 'GRANT' && verb !== 'REVOKE') return false;
    if (rest[0] !== 'ROLE') this.#grant(verb === 'GRANT', tokens.slice(1));
    else if (verb === 'GRANT' && rest[3] === 'USER') this.#ofUser.add(name);
    return true;
  }

  #change(verb: string, name: string, text: string): void {
    if (verb === 'DROP') this.#warehouses.delete(name);
    const known = this.#warehouses.get(name) ?? { isSuspended: true, resumes: true };
    if (text.endsWith('SUSPEND')) known.isSuspended = true;
    if (text.endsWith('RESUME')) known.isSuspended = false;
    const resumes = /AUTO_RESUME = (TRUE|FALSE)/.exec(text)?.[1];
    if (resumes !== undefined) known.resumes = resumes === 'TRUE';
    if (verb !== 'DROP') this.#warehouses.set(name, known);
  }

  #grant(gives: boolean, tokens: readonly Token[]): void {
    const words = tokens.map(({ text }) => text);
    const on = words.indexOf('ON');
    const to = words.findIndex((word, at) => (word === 'TO' || word === 'FROM') && words[at + 1] === 'ROLE');
    const within = words[on + 1] === 'ALL' || words[on + 1] === 'FUTURE';
    const kind = words[on + (within ? 2 : 1)]!;
    const grant: Grant = {
      privileges: words
        .slice(0, on)
        .join(' ')
        .split(',')
        .map((each) => each.trim()),
      on: tables.includes(kind) ? 'TABLE' : (kind.replace(/S$/, '') as Grant['on']),
      path: tokens
        .slice(on, to)
        .filter((token) => token.kind === 'name')
        .map(({ text }) => text),
      within,
    };
    const role = words[to + 2]!;
    const grants = this.#roles.get(role);
    if (!grants) throw new Refusal('002003', '02000', `Role '${role}' does not exist or not authorized.`);
    if (gives) grants.push(grant);
    else {
      const left = grants.filter((each) => JSON.stringify(each) !== JSON.stringify(grant));
      this.#roles.set(role, left);
    }
  }

  /** Whether the role may do that to it; with no privilege said, whether it may do anything. */
  may(who: Who, on: Grant['on'], path: readonly string[], privilege?: string): boolean {
    if (who.role === null) return true;
    return this.#grantsOf(who).some(
      (grant) =>
        grant.on === on &&
        grant.path.every((part, at) => part === path[at]) &&
        (grant.within || grant.path.length === path.length) &&
        (privilege === undefined ||
          grant.privileges.includes(privilege) ||
          grant.privileges.includes('OWNERSHIP')),
    );
  }

  #grantsOf({ role, isAlone = false }: Who): Grant[] {
    const roles = new Set([role!, ...(isAlone ? [] : this.#ofUser)]);
    return [...roles].flatMap((each) => this.#roles.get(each) ?? []);
  }

  /** The names of warehouses that the role has anything on. */
  warehousesOf(who: Who): ({ name: string } & Warehouse)[] {
    return [...this.#warehouses]
      .filter(([name]) => this.may(who, 'WAREHOUSE', [name]))
      .map(([name, warehouse]) => ({ name, ...warehouse }));
  }

  /** Patterns of the schemas and tables that the role has anything on; null for all. */
  seenBy(who: Who): Seen | null {
    if (who.role === null) return null;
    const patterns = (on: Grant['on'], length: number) =>
      this.#grantsOf(who)
        .filter((grant) => grant.on === on)
        .map(({ path }) => [
          ...path.map((part) => part.replaceAll(/[^A-Za-z0-9_]/g, '[$&]')),
          ...Array<string>(length - path.length).fill('.*'),
        ])
        .map((parts) => parts.join('[.]'))
        .join('|');
    return { schemas: patterns('SCHEMA', 2), tables: patterns('TABLE', 3) };
  }

  /** Fails with what Snowflake says of a statement that the role may not run, or that has nothing to compute on. */
  check(
    who: Who,
    text: string,
    tokens: readonly Token[],
    places: { databases: ReadonlySet<string>; database: string },
    runs: boolean,
  ): void {
    const path = (parts: readonly string[]) =>
      [places.database, 'PUBLIC', ''].slice(0, 3 - parts.length).concat(parts);
    const reads = readsBy(text).map(path);
    for (const each of reads) {
      if (!places.databases.has(each[0]!)) throw unknown(`Database '${each[0]}'`);
      this.#checkRead(who, each);
    }
    if (runs && reads.length > 0) this.#compute(who);
    if (tokens[0]?.text === 'CREATE') this.#checkMade(who, tokens, path);
  }

  #checkRead(who: Who, [database, schema, name]: string[]): void {
    if (!this.may(who, 'DATABASE', [database!], 'USAGE')) throw unknown(`Database '${database}'`);
    if (schema === 'INFORMATION_SCHEMA') return;
    if (!this.may(who, 'SCHEMA', [database!, schema!], 'USAGE')) throw unknown(`Schema '${schema}'`);
    const path = [database!, schema!, name!];
    if (this.may(who, 'TABLE', path, 'SELECT')) return;
    if (!this.may(who, 'TABLE', path)) throw unknown(`Object '${path.join('.')}'`);
    const message = `SQL access control error: Insufficient privileges to operate on table '${name}'`;
    throw new Refusal('003001', '42501', message);
  }

  #compute(who: Who): void {
    const warehouse = this.#warehouses.get(who.warehouse);
    if (!warehouse || !this.may(who, 'WAREHOUSE', [who.warehouse], 'USAGE')) {
      throw new Refusal('000606', '57P03', 'No active warehouse selected in the current session.');
    }
    if (warehouse.isSuspended && !warehouse.resumes) {
      throw new Refusal('000608', '57P03', `Warehouse '${who.warehouse}' is suspended.`);
    }
    warehouse.isSuspended = false;
  }

  /** Who makes a schema, a table or a view owns it. */
  #checkMade(who: Who, tokens: readonly Token[], path: (parts: readonly string[]) => string[]): void {
    if (who.role === null) return;
    const kind = tokens.find(({ text }) => ['SCHEMA', 'TABLE', 'VIEW'].includes(text))?.text ?? '';
    const first = tokens.findIndex((token) => token.kind === 'name');
    const parts: string[] = [];
    for (let at = first; tokens[at]?.kind === 'name'; at += 2) {
      parts.push(tokens[at]!.text);
      if (tokens[at + 1]?.text !== '.') break;
    }
    const whole = kind === 'SCHEMA' ? parts : path(parts);
    const holder = whole.slice(0, -1);
    const on = kind === 'SCHEMA' ? 'DATABASE' : 'SCHEMA';
    if (!this.may(who, on, holder, `CREATE ${kind}`)) {
      const message = `SQL access control error: Insufficient privileges to operate on ${on.toLowerCase()} '${holder.at(-1)}'`;
      throw new Refusal('003001', '42501', message);
    }
    const made = { privileges: ['OWNERSHIP'], path: whole, within: false };
    this.#roles.get(who.role)?.push({ ...made, on: kind === 'SCHEMA' ? 'SCHEMA' : 'TABLE' });
  }
}

function readsBy(text: string): string[][] {
  try {
    return readsOf(text);
  } catch {
    return [];
  }
}

function unknown(what: string): Refusal {
  return new Refusal('002003', '02000', `SQL compilation error: ${what} does not exist or not authorized.`);
}
