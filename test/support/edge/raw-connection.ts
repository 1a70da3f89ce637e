import { connect, type Socket } from 'node:net';
import { connect as connectTls, type PeerCertificate } from 'node:tls';

/** A TCP connection to a listener of this machine that sends bytes as they are. */
export interface RawConnection {
  readonly socket: Socket;
  /** All that has come. */
  readonly received: () => string;
  /** Settles when the other end has ended the connection, or it broke. */
  readonly closed: Promise<void>;
}

export interface RawOptions {
  /** Within TLS, whatever the certificate. @default false */
  readonly tls?: boolean;
  /** Told of the socket at once, before it is connected. */
  readonly opened?: (socket: Socket) => void;
}

export function openRaw(port: number, options: RawOptions = {}): Promise<RawConnection> {
  return new Promise((resolve, reject) => {
    let received = '';
    const at = { port, host: '127.0.0.1' };
    const socket = options.tls === true ? connectTls({ ...at, rejectUnauthorized: false }) : connect(at);
    options.opened?.(socket);
    const closed = new Promise<void>((settle) => {
      socket.once('close', () => settle());
      socket.once('end', () => settle());
    });
    socket.setEncoding('latin1');
    socket.on('data', (data) => {
      received += String(data);
    });
    socket.once('error', reject);
    socket.once(options.tls === true ? 'secureConnect' : 'connect', () => {
      // From here on an error is an end of the connection.
      socket.off('error', reject);
      socket.on('error', () => socket.destroy());
      resolve({ socket, received: () => received, closed });
    });
  });
}

/**
 * Sends bytes and waits for an answer or for the end of the connection.
 * @returns what came; undefined where nothing came and the connection stayed open for `limitMs`
 */
export async function exchange(port: number, bytes: Buffer | string, limitMs: number): Promise<string | undefined> {
  const { socket, received, closed } = await openRaw(port);
  try {
    socket.write(bytes);
    const { promise: answered, resolve } = Promise.withResolvers<true>();
    socket.once('data', () => resolve(true));
    let timer: NodeJS.Timeout | undefined;
    const silence = new Promise<false>((settle) => {
      timer = setTimeout(() => settle(false), limitMs);
    });
    const heard = await Promise.race([answered, closed.then(() => true as const), silence]);
    clearTimeout(timer);
    return heard ? received() : undefined;
  } finally {
    socket.destroy();
  }
}

/** One handshake. @returns the fingerprint of the certificate that a listener of this machine shows */
export const shownCertificate = async (port: number): Promise<string> => (await shown(port)).fingerprint256;

/** One handshake. @returns when the certificate ends */
export const shownEnd = async (port: number): Promise<string> => (await shown(port)).valid_to;

function shown(port: number): Promise<PeerCertificate> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate());
      socket.end();
    });
    socket.on('error', reject);
  });
}
