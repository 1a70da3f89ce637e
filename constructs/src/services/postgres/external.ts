import { isIP } from 'node:net';
import { POSTGRES_PORT } from '@delos/core';
import type { Peer } from '../../base/connections.ts';
import type { Database, DatabaseServer, DatabaseTls } from '../../base/database.ts';
import type { SecretKey } from '../../base/secret.ts';

/** A PostgreSQL that is there already. */
export interface ExternalPostgresProps {
  /** DNS name or address, as its clients reach it. */
  readonly host: string;
  /** TCP port. @default 5432 */
  readonly port?: number;
  /**
   * Its addresses or Pods, as NetworkPolicies name them. A policy knows no host names, so a `host` that is one needs this.
   * @default the address in `host`
   */
  readonly peer?: Extract<Peer, { readonly kind: 'addresses' | 'pods' }>;
  /** Protects connections with TLS; `{}` for a certificate of a public authority. @default plain TCP */
  readonly tls?: DatabaseTls;
  /** Name by which it is asked for → the database. */
  readonly databases: Readonly<Record<string, ExternalDatabase>>;
}

/** A database that is there already. */
export interface ExternalDatabase {
  /** The owner's password, in a Secret of its client's namespace. */
  readonly password: SecretKey;
  /** Name of the database. @default the name by which it is asked for */
  readonly name?: string;
  /** The owner. @default the name by which it is asked for */
  readonly user?: string;
}

/**
 * @throws Error for a host name without a peer
 * @throws Error when a database is asked for that is not listed
 */
export function externalPostgres(props: ExternalPostgresProps): DatabaseServer {
  const { host, port = POSTGRES_PORT, tls, databases } = props;
  const peer = props.peer ?? addressPeer(host, port);
  return {
    database(asked): Database {
      const found = Object.hasOwn(databases, asked) ? databases[asked] : undefined;
      if (found === undefined) {
        const listed = Object.keys(databases).join(', ') || 'none';
        throw new Error(`the PostgreSQL at ${host} has no database ${asked}; listed are: ${listed}`);
      }
      return {
        host,
        port,
        name: found.name ?? asked,
        user: found.user ?? asked,
        password: found.password,
        ...(tls === undefined ? {} : { tls }),
        peer,
        ready: [],
      };
    },
  };
}

/** The peer of a host that is an address. */
function addressPeer(host: string, port: number): Peer {
  if (isIP(host) !== 0) return { kind: 'addresses', addresses: [host], ports: [port] };
  throw new Error(
    `a NetworkPolicy cannot name the host ${host}: give \`peer\`, such as ` +
      `{ kind: 'addresses', addresses: ['10.20.0.5'], ports: [${port}] }`,
  );
}
