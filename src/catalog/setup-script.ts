import { InputError, inputError, type Problem } from '#base/errors.ts';
import type { DatastoreEngine } from '#generated/prisma/enums.ts';
import { postgresSetupDefaults, postgresSetupScript } from '#warehouse/postgres-setup.ts';
import type { SetupDefaults, SetupInput, SetupScript } from '#warehouse/setup-input.ts';
import { snowflakeSetupDefaults, snowflakeSetupScript } from '#warehouse/snowflake-setup.ts';

interface Setup {
  authentication: SetupInput['authentication'];
  defaults: Record<SetupInput['kind'], SetupDefaults>;
  script(input: SetupInput): SetupScript;
}

const setups: Partial<Record<DatastoreEngine, Setup>> = {
  SNOWFLAKE: {
    authentication: 'KEY_PAIR',
    defaults: snowflakeSetupDefaults,
    script: snowflakeSetupScript,
  },
  POSTGRES: { authentication: 'PASSWORD', defaults: postgresSetupDefaults, script: postgresSetupScript },
};

type Said = { [field in keyof SetupInput]?: SetupInput[field] | null | undefined } & {
  kind: SetupInput['kind'];
};

/** The script that sets up the engine for a datastore. Fails with InputError, every problem at once. */
export function setupScript(engine: DatastoreEngine, said: Said): string {
  const setup = setups[engine];
  if (!setup) {
    const names = Object.keys(setups).join(', ');
    throw inputError(
      'UNSUPPORTED',
      ['engine'],
      `There is no set-up script for ${engine}.`,
      `There is one for: ${names}.`,
    );
  }
  const defaults = setup.defaults[said.kind];
  const missing: Problem[] = [];
  const nameOf = (field: 'database' | 'role') => {
    const name = said[field] ?? defaults[field];
    if (name != null) return name;
    missing.push({
      code: 'REQUIRED',
      path: [field],
      message: `${field} is missing.`,
      fix: 'Name the one that is there.',
    });
    return 'x';
  };
  const { sql, problems = [] } = setup.script({
    kind: said.kind,
    writes: said.writes ?? [],
    database: nameOf('database'),
    role: nameOf('role'),
    readSchemas: said.readSchemas ?? null,
    writeSchemas: said.writeSchemas ?? null,
    warehouse: said.warehouse ?? defaults.warehouse ?? null,
    username: said.username ?? defaults.username ?? null,
    authentication: said.authentication ?? setup.authentication,
    publicKey: said.publicKey ?? null,
    autoSuspendSeconds: said.autoSuspendSeconds ?? null,
  });
  if (sql !== undefined && missing.length === 0) return sql;
  throw new InputError([...missing, ...problems]);
}
