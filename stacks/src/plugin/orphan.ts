import { connect } from 'node:net';

/**
 * Calls back once nothing listens at the engine's address any more: an engine that was killed leaves its plugins
 * behind, and these would go on changing the cluster unseen. A connection is held rather than polled, so that the end
 * shows at once; the engine's server drops a silent one now and then, hence only a refused connection counts.
 */
export function watchEngine(address: string, gone: () => void): void {
  const separator = address.lastIndexOf(':');
  const host = address.slice(0, separator);
  const port = Number(address.slice(separator + 1));
  const dial = (): void => {
    const socket = connect({ host, port });
    // Without reading, the close is never seen.
    socket.resume();
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED') gone();
    });
    socket.on('close', () => setTimeout(dial, 200).unref());
    socket.unref();
  };
  dial();
}
