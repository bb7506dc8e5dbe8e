import pg from 'pg';

/** How many statements this process makes on its store while `run` runs: the fewest of some runs, since work that goes on by itself makes some too. */
export async function fewestStatements(run: () => Promise<unknown>, runs = 5): Promise<number> {
  const { query } = pg.Client.prototype;
  let made = 0;
  pg.Client.prototype.query = function counted(this: pg.Client, ...args: unknown[]) {
    made += 1;
    return Reflect.apply(query, this, args) as never;
  };
  try {
    let fewest = Number.POSITIVE_INFINITY;
    for (let at = 0; at < runs; at += 1) {
      made = 0;
      await run();
      fewest = Math.min(fewest, made);
    }
    return fewest;
  } finally {
    pg.Client.prototype.query = query;
  }
}
