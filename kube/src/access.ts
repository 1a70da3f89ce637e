import type { Agent } from 'node:http';

/** TLS material and credentials of one request. */
export interface KubeCredentials {
  readonly headers?: Readonly<Record<string, string>>;
  readonly ca?: Buffer | string;
  readonly cert?: Buffer | string;
  readonly key?: Buffer | string;
  /** Name that the server's certificate must have. @default the host of its URL */
  readonly servername?: string;
  readonly rejectUnauthorized?: boolean;
  /** Of a proxy. @default connections of the client's own, which are kept */
  readonly agent?: Agent;
}

/** Where an API server is, and as whom it is asked. */
export interface KubeAccess {
  /** URL without a trailing slash: `https://10.203.0.1:443`. */
  readonly server: string;
  /** Namespace for objects that name none. */
  readonly namespace: string;
  /** Asked for with each request: a Pod's token is replaced within the hour. */
  credentials(): KubeCredentials | Promise<KubeCredentials>;
}
