import type { IConstruct } from 'constructs';
import type { Peer } from './connections.ts';
import type { SecretKey } from './secret.ts';

/** One database, by whatever server: how its one client reaches it and what it signs in with. */
export interface Database {
  /** DNS name or address. */
  readonly host: string;
  /** TCP port. */
  readonly port: number;
  /** Name of the database. */
  readonly name: string;
  /** The owner, who may do everything in it and nothing elsewhere. */
  readonly user: string;
  /** The owner's password. */
  readonly password: SecretKey;
  /** How the connection is protected. @default plain TCP, as inside a cluster */
  readonly tls?: DatabaseTls;
  /** To be reached by the client's Pods. */
  readonly peer: Peer;
  /** To be waited for by the client's Pods. */
  readonly ready: readonly IConstruct[];
}

/** TLS of a connection to a database. The server's certificate is checked against its host name. */
export interface DatabaseTls {
  /** Who has signed the server's certificate, in PEM. @default a public authority */
  readonly authority?: SecretKey;
}

/** A server of databases: {@link Postgres}, or {@link Postgres.external} for one that is there already. */
export interface DatabaseServer {
  /**
   * A database with an owner of its own. Asked for twice, it is the same one.
   * @param name also the owner's, and the end of the name of its Secret
   */
  database(name: string): Database;
}
