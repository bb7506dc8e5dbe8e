import type { Server } from 'node:http';
import { once } from 'node:events';
import { AppError } from '#base/errors.ts';

/** Begins to listen. Fails with AppError that names the port or the host and says what to do. */
export async function listen(
  server: Server,
  { host, port }: { host: string; port: number },
): Promise<string> {
  try {
    server.listen({ host, port });
    await once(server, 'listening');
  } catch (error) {
    throw explain(error, host, port);
  }
  const address = server.address();
  const bound = typeof address === 'object' && address ? address.port : port;
  return `http://${reachable(host)}:${bound}`;
}

/** A host to put into a URL: one that means "every address" is none to ask for. */
function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}

function explain(error: unknown, host: string, port: number): unknown {
  switch ((error as NodeJS.ErrnoException).code ?? 'none') {
    case 'EADDRINUSE':
      return new AppError('CONFLICT', `Port ${port} of ${host} is taken by another program.`, {
        cause: error,
        fix: 'Stop that program, or set SLUICE_PORT to another port (0 picks a free one).',
      });
    case 'EACCES':
      return new AppError('CONFLICT', `This user may not listen on port ${port}.`, {
        cause: error,
        fix: 'Set SLUICE_PORT to a port of 1024 or above.',
      });
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
    case 'EAFNOSUPPORT':
    case 'EINVAL':
      return new AppError('BAD_USER_INPUT', `"${host}" is no address of this machine.`, {
        cause: error,
        fix: 'Set SLUICE_HOST to 127.0.0.1 (this machine only), to 0.0.0.0 or :: (every address), or to one of its addresses.',
      });
    default:
      return error;
  }
}
