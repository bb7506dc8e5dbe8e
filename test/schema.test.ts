import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  buildSchema,
  type GraphQLArgument,
  type GraphQLInputField,
  type GraphQLNamedType,
  type GraphQLSchema,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isObjectType,
  isScalarType,
  isUnionType,
} from 'graphql';
import { expect, test } from 'vitest';
import { printedSchema } from '#graphql/print-schema.ts';
import { schema } from '#graphql/schema.ts';

const root = join(import.meta.dirname, '..');

/** The contract with the connection types that it leaves to its pattern. */
async function readContract(): Promise<GraphQLSchema> {
  const text = await readFile(join(root, 'test/support/contract.graphql'), 'utf8');
  const nodes = new Set([...text.matchAll(/: (\w+)Connection!/g)].map((match) => match[1]));
  const connections = [...nodes].map(
    (node) => `
      type ${node}Connection { edges: [${node}Edge!]! nodes: [${node}!]! pageInfo: PageInfo! totalCount: Int }
      type ${node}Edge { cursor: String! node: ${node}! }`,
  );
  return buildSchema(text + connections.join('\n'));
}

/** Every element of a type as one line: what clients rely on, and nothing of the descriptions. */
function elementsOf(type: GraphQLNamedType): string[] {
  const { name } = type;
  if (isScalarType(type)) return [`scalar ${name}`];
  if (isEnumType(type)) return type.getValues().map((value) => `enum ${name} ${value.name}`);
  if (isUnionType(type)) return type.getTypes().map((member) => `union ${name} ${member.name}`);
  if (isInputObjectType(type))
    return Object.values(type.getFields()).map((field) => `input ${name}.${argument(field)}`);
  const kind = isInterfaceType(type) ? 'interface' : 'type';
  return [
    `${kind} ${name}`,
    ...type.getInterfaces().map((each) => `${kind} ${name} implements ${each.name}`),
    ...Object.values(type.getFields()).flatMap((field) => [
      `${kind} ${name}.${field.name}: ${String(field.type)}`,
      ...field.args.map((arg) => `${kind} ${name}.${field.name}(${argument(arg)})`),
    ]),
  ];
}

function argument(arg: GraphQLArgument | GraphQLInputField): string {
  const fallback = arg.defaultValue === undefined ? '' : ` = ${JSON.stringify(arg.defaultValue)}`;
  return `${arg.name}: ${String(arg.type)}${fallback}`;
}

function elements(of: GraphQLSchema): Set<string> {
  const own = Object.values(of.getTypeMap()).filter((type) => !type.name.startsWith('__'));
  return new Set(own.flatMap(elementsOf));
}

test('schema.graphql is what the code serves: after a change run npm run schema', async () => {
  expect(await readFile(join(root, 'schema.graphql'), 'utf8')).toBe(printedSchema());
});

test('every type, field, argument and value of the contract is served just so', async () => {
  const served = elements(schema);
  const promised = elements(await readContract());
  expect(promised.size).toBeGreaterThan(500);
  expect([...promised].filter((element) => !served.has(element))).toEqual([]);
});

test('what is served beyond the contract can be left out by clients: no argument or input field is demanded that the contract does not name', async () => {
  const contract = await readContract();
  const demanded: string[] = [];
  for (const type of Object.values(contract.getTypeMap())) {
    const own = schema.getType(type.name);
    if (isInputObjectType(type) && isInputObjectType(own)) {
      const names = new Set(Object.keys(type.getFields()));
      for (const field of Object.values(own.getFields())) {
        if (!names.has(field.name) && String(field.type).endsWith('!'))
          demanded.push(`${type.name}.${field.name}`);
      }
    }
    if (isObjectType(type) && isObjectType(own)) {
      for (const field of Object.values(type.getFields())) {
        const names = new Set(field.args.map((arg) => arg.name));
        for (const arg of own.getFields()[field.name]?.args ?? []) {
          if (!names.has(arg.name) && String(arg.type).endsWith('!'))
            demanded.push(`${type.name}.${field.name}(${arg.name})`);
        }
      }
    }
  }
  expect(demanded).toEqual([]);
});

test('every type, field, argument, input field and enum value is described in words of its own', () => {
  const undescribed: string[] = [];
  const check = (place: string, description: string | null | undefined) => {
    if (!description || description.trim().length < 4) undescribed.push(place);
  };
  for (const type of Object.values(schema.getTypeMap())) {
    if (type.name.startsWith('__') || ['ID', 'String', 'Int', 'Float', 'Boolean'].includes(type.name))
      continue;
    check(type.name, type.description);
    if (isEnumType(type))
      for (const value of type.getValues()) check(`${type.name}.${value.name}`, value.description);
    if (isInputObjectType(type) || isObjectType(type) || isInterfaceType(type)) {
      for (const field of Object.values(type.getFields())) {
        check(`${type.name}.${field.name}`, field.description);
        for (const arg of 'args' in field ? field.args : [])
          check(`${type.name}.${field.name}(${arg.name})`, arg.description);
      }
    }
  }
  expect(undescribed).toEqual([]);
});

test('a field that may be null says when it is', () => {
  const silent: string[] = [];
  for (const type of Object.values(schema.getTypeMap())) {
    if (type.name.startsWith('__') || !(isObjectType(type) || isInputObjectType(type))) continue;
    for (const field of Object.values(type.getFields())) {
      const isNullable = !String(field.type).endsWith('!');
      const says = /\b(null|left out)\b/i.test(field.description ?? '');
      if (isNullable && !says) silent.push(`${type.name}.${field.name}`);
    }
  }
  expect(silent).toEqual([]);
});
