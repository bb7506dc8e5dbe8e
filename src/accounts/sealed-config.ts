import type { SecretBox } from './secrets.ts';
import type { Problem } from '#base/errors.ts';
import { checkConfig, withDefaults } from '#connectors/check-config.ts';
import { joinSecrets, splitSecrets } from '#connectors/config-secrets.ts';
import type { ConfigSchema, Json } from '#connectors/contract.ts';
import type { Prisma } from '#generated/prisma/client.ts';

interface ConfigPlace {
  projectId: string;
  /** The row that the secrets are sealed to. */
  row: string;
}
type JsonObject = { [key: string]: Json };

/**
 * Checks a config and takes its secrets out of it, sealed to the row. Secrets of `secrets` that the config leaves out
 * are kept, those it sets to null are cleared. Nothing is to be stored when there are problems.
 */
export function sealConfig(
  deps: { secrets: SecretBox },
  spec: ConfigSchema,
  input: ConfigPlace & {
    config: unknown;
    secrets: Prisma.JsonValue;
    /** What the schema does not say, asked of a config that it allows. */
    alsoCheck?: ((config: JsonObject) => Problem[]) | undefined;
  },
): { config: Prisma.InputJsonObject; secrets: Prisma.InputJsonObject; problems: Problem[] } {
  const { projectId, row } = input;
  if (!isObject(input.config)) return { config: {}, secrets: {}, problems: checkConfig(spec, input.config) };
  const given = splitSecrets(spec, input.config);
  const plain: Record<string, string> = {};
  const sealed: JsonObject = {};
  for (const [field, value] of Object.entries(openSecrets(deps, input))) {
    if (field in given.secrets) continue;
    plain[field] = value;
    sealed[field] = (input.secrets as JsonObject)[field] ?? null;
  }
  for (const [field, value] of Object.entries(given.secrets)) {
    if (value === null) continue;
    plain[field] = value;
    sealed[field] = deps.secrets.seal(value, { projectId, row, field });
  }
  const whole = joinSecrets(given.config, plain);
  const problems = checkConfig(spec, whole);
  return {
    config: given.config,
    secrets: sealed,
    problems: problems.length > 0 ? problems : (input.alsoCheck?.(whole) ?? []),
  };
}

/** What the connector reads: the stored config with its secrets, and the schema's defaults. */
export function openConfig(
  deps: { secrets: SecretBox },
  spec: ConfigSchema,
  stored: ConfigPlace & { config: Prisma.JsonValue; secrets: Prisma.JsonValue },
): JsonObject {
  return withDefaults(spec, joinSecrets(stored.config as JsonObject, openSecrets(deps, stored)));
}

function openSecrets(
  deps: { secrets: SecretBox },
  { projectId, row, secrets }: ConfigPlace & { secrets: Prisma.JsonValue },
): Record<string, string> {
  const entries = Object.entries(secrets as JsonObject);
  return Object.fromEntries(
    entries.map(([field, sealed]) => [field, deps.secrets.open(sealed, { projectId, row, field })]),
  );
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
