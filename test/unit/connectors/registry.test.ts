import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { checkConfig } from '#connectors/check-config.ts';
import { secretPaths } from '#connectors/config-secrets.ts';
import type { Json } from '#connectors/contract.ts';
import { connectors, destinationConnector, sourceConnector } from '#connectors/registry.ts';

const all = [...connectors.sources, ...connectors.destinations];
const docs = readFileSync('docs/connectors.md', 'utf8');

/** Every field of a schema with its dotted path. */
function fieldsOf(
  schema: Json,
  path: string[] = [],
): { path: string; schema: { [keyword: string]: Json } }[] {
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema)) return [];
  return Object.entries(schema.properties ?? {}).flatMap(([name, child]) => {
    const at = [...path, name];
    return [
      { path: at.join('.'), schema: child as { [keyword: string]: Json } },
      ...fieldsOf(child as Json, at),
    ];
  });
}

describe.each(all)('the connector $type', (connector) => {
  test('has a schema that is strict, and refuses what it does not know', () => {
    expect(checkConfig(connector.spec, { nonsense: 1 })).toContainEqual(
      expect.objectContaining({ code: 'INVALID', path: ['config', 'nonsense'] }),
    );
  });

  test('says of every field what it is', () => {
    for (const { path, schema } of fieldsOf(connector.spec))
      expect(schema.description, path).toEqual(expect.any(String));
  });

  test('has its own part in docs/connectors.md that names every field', () => {
    const [, part = ''] = docs.split(`\n## \`${connector.type}\`\n`);
    const own = part.split('\n## ')[0]!;
    const leaves = fieldsOf(connector.spec).filter(({ schema }) => schema.properties === undefined);
    for (const { path } of leaves) expect(own, path).toContain(`\`${path}\``);
  });
});

test('connectors are found by type, and by version when one is named', () => {
  expect(sourceConnector('files')?.type).toBe('files');
  expect(sourceConnector('files', '1.0.0')?.type).toBe('files');
  expect(sourceConnector('files', '0.0.1')).toBeUndefined();
  expect(sourceConnector('parquet')).toBeUndefined();
  expect(destinationConnector('parquet', null)?.type).toBe('parquet');
});

test('only the password of postgres is a secret', () => {
  expect(all.flatMap(({ spec }) => secretPaths(spec))).toEqual(['password']);
});
