import type { App } from '#app.ts';
import type { GatewayClient } from '#cli/client.ts';
import { createDatastore, datastores, updateDatastore } from './documents.ts';
import { idOf } from './payload.ts';
import { prepareWarehouseDatabase } from './sample-database.ts';
import type { Say } from './show.ts';

const name = 'postgres';

/**
 * Makes a PostgreSQL database the default warehouse, over the public API, so that jobs write into it and questions are answered
 * from it. One that is there gets the config anew: its port and password are others at each start. Fails with AppError.
 */
export async function prepareWarehouse(app: App, client: GatewayClient, say: Say): Promise<void> {
  const config = await prepareWarehouseDatabase(app.store.databaseUrl);
  const found = (await client.ask(datastores, {})).datastores.nodes.find((each) => each.name === name);
  if (found) {
    const input = { id: found.id, config, isDefault: true };
    const { updateDatastore: payload } = await client.ask(updateDatastore, { input });
    idOf(payload.datastore, payload.userErrors);
  } else {
    const input = { name, engine: 'POSTGRES', role: 'WAREHOUSE', isDefault: true, config } as const;
    const { createDatastore: payload } = await client.ask(createDatastore, { input });
    idOf(payload.datastore, payload.userErrors);
  }
  say(`\nThe warehouse is the datastore "${name}": PostgreSQL, in its database "${config.database}"`);
}
