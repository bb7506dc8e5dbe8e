import type { Token } from '#warehouse/select-reads.ts';
import { tokensOf } from '#warehouse/snowflake-tokens.ts';
import type { Binding } from '#warehouse/snowflake-values.ts';
import type { Access, Who } from './access.ts';
import { type Engine, type Outcome, Refusal } from './engine.ts';

type RunOptions = Parameters<Engine['run']>[2];

interface Asked {
  text: string;
  bindings: Record<string, Binding>;
}

/** Runs statements as whoever asks may: those on roles, users and warehouses by what is known of them, all others in the engine. */
export function runnerOf(engine: Engine, access: Access, database: string) {
  const places = { databases: engine.databases, database };
  return async (who: Who, { text, bindings }: Asked, options: RunOptions): Promise<Outcome> => {
    const tokens = tokensOf(text);
    const seen = access.seenBy(who);
    const say = (sql: string) => engine.run(sql, {}, { ...options, seen });
    const runs = !options.describeOnly;
    if (text === 'SELECT CURRENT_ROLE()') return say(`SELECT ${quoted(who.role ?? 'SYSADMIN')} AS "role"`);
    if (runs && tokens[0]?.text === 'SHOW') return say(shownBy(who, tokens, { engine, access }));
    if (text === 'USE SECONDARY ROLES NONE') who.isAlone = true;
    const made = tokens[0]?.text === 'CREATE' && tokens[1]?.text === 'DATABASE' ? lastName(tokens) : null;
    if (runs && made !== null) await engine.makeDatabase(made);
    if (runs && (made !== null || access.administer(tokens))) {
      return say(`SELECT 'Statement executed successfully.' AS "status"`);
    }
    access.check(who, text, tokens, places, runs);
    return engine.run(text, bindings, { ...options, seen });
  };
}

/** SHOW WAREHOUSES, and SHOW SCHEMAS IN DATABASE, by a pattern or all, as a SELECT. */
function shownBy(who: Who, tokens: readonly Token[], of: { engine: Engine; access: Access }): string {
  const pattern = quoted(tokens.find(({ kind }) => kind === 'text')?.text ?? '%');
  if (tokens[1]?.text === 'WAREHOUSES') {
    const rows = of.access.warehousesOf(who).map(({ name, isSuspended, resumes }) => {
      const state = isSuspended ? 'SUSPENDED' : 'STARTED';
      return `(${quoted(name)}, '${state}', '${resumes}')`;
    });
    const all = ["('', '', '')", ...rows].join(', ');
    return `SELECT * FROM (VALUES ${all}) AS w("name", "state", "auto_resume") WHERE "name" <> '' AND "name" ILIKE ${pattern}`;
  }
  const database = lastName(tokens);
  if (!of.engine.databases.has(database) || !of.access.may(who, 'DATABASE', [database])) {
    const message = 'SQL compilation error: Object does not exist, or operation cannot be performed.';
    throw new Refusal('002043', '02000', message);
  }
  const from = `"${database.replaceAll('"', '""')}".INFORMATION_SCHEMA.SCHEMATA`;
  return `SELECT s.SCHEMA_NAME AS "name" FROM ${from} AS s WHERE s.SCHEMA_NAME ILIKE ${pattern}`;
}

const lastName = (tokens: readonly Token[]) => tokens.findLast(({ kind }) => kind === 'name')?.text ?? '';
const quoted = (text: string) => `'${text.replaceAll("'", "''")}'`;
