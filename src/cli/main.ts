#!/usr/bin/env -S NODE_ENV=production UV_THREADPOOL_SIZE=16 MALLOC_ARENA_MAX=2 node
import { commands } from './commands.ts';
import { run } from './run.ts';

// Whoever reads the output may leave: `sluice serve | head` goes on serving.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}

process.exitCode = await run(commands, process.argv.slice(2));
