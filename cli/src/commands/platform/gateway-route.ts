import type { WebSocket as RoutedSocket } from 'undici';

/** How requests to the platform leave this machine. */
export interface Transport {
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
  /** An opening WebSocket that sends this bearer token. */
  readonly socket: (url: string, token: string) => WebSocket;
}

/** By name and by the machine's trusted roots, as any client's do. */
export const direct: Transport = {
  fetch: (url, init) => fetch(url, init),
  // Node's WebSocket takes headers; the web's own type does not know them.
  socket: (url, token) => new WebSocket(url, { headers: { authorization: `Bearer ${token}` } } as never),
};

/**
 * To a port of loopback that leads to the gateway, whatever the URL's host: names in DNS and a public certificate may
 * come later than the platform. TLS is checked against the URL's host and the instance's own CA.
 * @param ca left out: the public ones
 */
export async function routed(port: number, ca: string | undefined): Promise<Transport & { close(): Promise<void> }> {
  const { Agent, buildConnector, fetch: send, WebSocket: Socket } = await import('undici');
  const connector = buildConnector(ca === undefined ? {} : { ca });
  const dispatcher = new Agent({
    connect: (options, done) =>
      connector(
        { ...options, hostname: '127.0.0.1', port: String(port), servername: options.servername || options.hostname },
        done,
      ),
  });
  return {
    fetch: async (url, init) => (await send(url, { ...init, dispatcher } as never)) as unknown as Response,
    socket: (url, token) => {
      const socket: RoutedSocket = new Socket(url, { dispatcher, headers: { authorization: `Bearer ${token}` } });
      return socket as unknown as WebSocket;
    },
    close: () => dispatcher.destroy(),
  };
}
