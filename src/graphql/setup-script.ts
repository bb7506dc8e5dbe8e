import { setupScript } from '#catalog/setup-script.ts';
import { builder } from './builder.ts';
import { DatastoreEngine } from './datastore.ts';

const WarehouseSetupKind = builder.enumType('WarehouseSetupKind', {
  description: 'How much there is already.',
  values: {
    MANAGED: {
      description:
        'Nothing: of SNOWFLAKE database, virtual warehouse, role and user are made, of POSTGRES the role that signs in.',
    },
    EXISTING: { description: 'All of it: the script only grants.' },
  },
});

const WarehouseSetupWrites = builder.enumType('WarehouseSetupWrites', {
  description: 'What a datastore may do besides being read.',
  values: {
    TRANSFORMATIONS: { description: 'Transformations make tables and views.' },
    SYNCS: { description: 'Jobs write tables.' },
  },
});

const WarehouseSetupAuthentication = builder.enumType('WarehouseSetupAuthentication', {
  description: 'How the user signs in.',
  values: {
    KEY_PAIR: { description: 'With a private key, whose public half the engine knows.' },
    PASSWORD: { description: 'With a password.' },
  },
});

const WarehouseSetupInput = builder.inputType('WarehouseSetupInput', {
  description:
    'What a set-up script is to be made of. Names are quoted: they are read exactly as they are given.',
  fields: (t) => ({
    kind: t.field({ type: WarehouseSetupKind, required: true, description: 'How much there is already.' }),
    writes: t.field({
      type: [WarehouseSetupWrites],
      description: 'What is allowed besides reading. Null for nothing.',
    }),
    database: t.string({
      description: 'The database. Null for SLUICE of a MANAGED Snowflake; else it is required.',
    }),
    warehouse: t.string({
      description:
        'The virtual warehouse of SNOWFLAKE. Null for SLUICE_WH when it is MANAGED; else it is required. Other engines have none.',
    }),
    role: t.string({
      description:
        'Who gets the grants. Null for SLUICE_ROLE, or sluice on POSTGRES, when it is MANAGED; else it is required.',
    }),
    username: t.string({
      description:
        'Who signs in to a MANAGED Snowflake. Null for SLUICE_USER. Elsewhere it is not made, or it is the role.',
    }),
    readSchemas: t.stringList({
      description:
        'The schemas that may be read, with all tables and views. Null for all of the database, on POSTGRES for public.',
    }),
    writeSchemas: t.stringList({
      description: 'The schemas that may be written. Null for those that the role makes itself.',
    }),
    authentication: t.field({
      type: WarehouseSetupAuthentication,
      description: 'How the user signs in. Null for KEY_PAIR on SNOWFLAKE; POSTGRES has only PASSWORD.',
    }),
    publicKey: t.string({
      description:
        'The public RSA key of KEY_PAIR in PEM, 2048 bits or more. Null to have it filled in later.',
    }),
    autoSuspendSeconds: t.int({
      description: 'After how long without work a MANAGED virtual warehouse stops. 60 to 86400; null for 60.',
    }),
  }),
});

builder.queryFields((t) => ({
  warehouseSetupScript: t.string({
    description:
      'The SQL that an administrator runs once, so that a datastore can be made: with the least grants, and without any secret; what has to be filled in stands in <>. Of SNOWFLAKE and POSTGRES. Needs CONTROL_WRITE.',
    args: {
      engine: t.arg({ type: DatastoreEngine, required: true, description: 'The engine to set up.' }),
      input: t.arg({ type: WarehouseSetupInput, required: true, description: 'What it is made of.' }),
    },
    resolve: (_root, { engine, input }) => setupScript(engine, input),
  }),
}));
