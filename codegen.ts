import type { CodegenConfig } from '@graphql-codegen/cli';

/** Typed documents of the CLI and the tests. The output runs under Node's type stripping: no enums, .ts imports. */
const config: CodegenConfig = {
  schema: 'schema.graphql',
  documents: ['src/cli/**/*.ts', 'test/support/**/*.ts', 'test/e2e/**/*.ts'],
  importExtension: '.ts',
  generates: {
    'src/generated/gql/': {
      preset: 'client',
      presetConfig: { fragmentMasking: false },
      config: {
        enumType: 'string-literal',
        enumsAsTypes: true,
        useTypeImports: true,
        strictScalars: true,
        scalars: {
          ID: 'string',
          BigInt: { input: 'number | string', output: 'number | string' },
          Date: 'string',
          DateTime: 'string',
          JSON: { input: 'unknown', output: 'unknown' },
        },
      },
    },
  },
};

export default config;
