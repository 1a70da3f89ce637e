import type { CacheServer, CacheTls, CacheUser } from '../../base/cache.ts';
import type { Peer } from '../../base/connections.ts';
import type { SecretKey } from '../../base/secret.ts';

/** A Redis or Valkey that is there already. */
export interface ExternalRedisProps {
  /** DNS name or address, as its clients reach it. With TLS, its certificate is for this name. */
  readonly host: string;
  /** TCP port. @default 6379 */
  readonly port?: number;
  /** Protects connections with TLS; `{}` for a certificate of a public authority. @default plain TCP */
  readonly tls?: CacheTls;
  /** Its addresses or Pods, as NetworkPolicies name them. A policy knows no host names. */
  readonly peer: Extract<Peer, { readonly kind: 'addresses' | 'pods' }>;
  /** Name by which a user is asked for → the user. */
  readonly users: Readonly<Record<string, ExternalRedisUser>>;
}

/** A user that is there already, with the rights that its service asks for. */
export interface ExternalRedisUser {
  /** The user's password, in a Secret of its client's namespace. */
  readonly password: SecretKey;
  /** Name of the user there. @default the name by which it is asked for */
  readonly user?: string;
}

/** @throws Error when a user is asked for that is not listed */
export function externalRedis({ host, port = 6379, tls, peer, users }: ExternalRedisProps): CacheServer {
  return {
    user(asked): CacheUser {
      const found = Object.hasOwn(users, asked) ? users[asked] : undefined;
      if (found === undefined) {
        const listed = Object.keys(users).join(', ') || 'none';
        throw new Error(`the Redis at ${host} has no user ${asked}; listed are: ${listed}`);
      }
      const { user = asked, password } = found;
      return { host, port, user, password, peer, ...(tls === undefined ? {} : { tls }) };
    },
  };
}
