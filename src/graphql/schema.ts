import type { GraphQLSchema } from 'graphql';
import './scalars.ts';
import './node.ts';
import './account.ts';
import './resource.ts';
import './sign-in.ts';
import './connector.ts';
import './source.ts';
import './destination.ts';
import './job.ts';
import './job-mutations.ts';
import './task.ts';
import './task-log.ts';
import './task-mutations.ts';
import './watch.ts';
import './datastore.ts';
import './table.ts';
import './column.ts';
import './lineage.ts';
import './filter.ts';
import { builder } from './builder.ts';
import { enforcePermissions } from './enforce.ts';
import { refuseNul } from './refuse-nul.ts';

/** The whole schema, each field guarded by accounts/permissions.ts before anything else is looked at. */
export const schema: GraphQLSchema = enforcePermissions(refuseNul(builder.toSchema()));
