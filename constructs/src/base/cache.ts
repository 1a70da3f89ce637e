import type { Peer } from './connections.ts';
import type { SecretKey } from './secret.ts';

/** What one user of a cache may do: these commands, on keys with these beginnings, and nothing else. */
export interface CacheAccess {
  /** Names of commands, in small letters: `get`, `evalsha`. A script may use them too, and no others. */
  readonly commands: readonly string[];
  /** Beginnings of keys, each a word, a colon and a star: `limits:*`. */
  readonly keys: readonly string[];
}

/**
 * One user of a cache, by whatever server: how it is reached and what its client signs in with. What is kept there may
 * be gone at any moment, and so may the server: a client works without it, and never waits for it at its start.
 */
export interface CacheUser {
  /** DNS name or address. */
  readonly host: string;
  /** TCP port. */
  readonly port: number;
  /** Name of the user. */
  readonly user: string;
  /** The user's password. */
  readonly password: SecretKey;
  /** How the connection is protected. @default plain TCP, as inside a cluster */
  readonly tls?: CacheTls;
  /** To be reached by the client's Pods. */
  readonly peer: Peer;
}

/** TLS of a connection to a cache. The server's certificate is checked against its host name. */
export interface CacheTls {
  /** Who has signed the server's certificate, in PEM. @default a public authority */
  readonly authority?: SecretKey;
}

/** A server that keeps values for a while: `Redis`, or `Redis.external` for one that is there already. */
export interface CacheServer {
  /**
   * A user of its own for one service. Asked for twice, it is the same one.
   * @param name also the end of the name of its Secret
   */
  user(name: string, access: CacheAccess): CacheUser;
}
