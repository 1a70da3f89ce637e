import type { Peer } from './connections.ts';

/** Paths of the platform's one origin that go to a service. */
export interface Route {
  /**
   * Requests to the addresses of jobs, and no others. All other routes are of the platform's own origin, and no request to the
   * address of a job gets to them. @default the platform's own origin
   */
  readonly hosts?: 'jobs';
  /** Caddy's path patterns: `/api/v1/*`. The path arrives as it came. */
  readonly paths: readonly string[];
  /** Requests of this method alone. Such a route goes before all of any method. @default any */
  readonly method?: string;
  /** Regular expression (RE2) that the path must match too. @default any path */
  readonly pattern?: string;
  /** Requests with credentials of this scheme alone (RFC 9110, 11.6.2). @default any request */
  readonly authorization?: 'Basic';
  /** It takes what no route of another service takes: it answers for one that may be left out. @default false */
  readonly fallback?: boolean;
  /** Who is asked first whether a request may pass. @default nobody */
  readonly asks?: AskedFirst;
  /**
   * How long a request may take, in hours. The gateway has one such limit: the longest of all routes. What stalls or is too slow is
   * cut off before. @default a quarter
   */
  readonly requestHours?: number;
  /** How long its service may take until the head of an answer, in minutes. @default 2 */
  readonly answerMinutes?: number;
  /** Requests and streams under way there at most. More wait, and are answered 503 after 15 s. @default 900 */
  readonly mostUnderWay?: number;
  /** Name of the service's port. */
  readonly port: string;
  /**
   * Name of the service's port for connections of HTTP/2: they are handed to it whole, with the PROXY protocol in front. Of the
   * addresses of jobs alone. @default HTTP/1.1 is spoken alone
   */
  readonly http2Port?: string;
  /** Most bytes of a request's body. @default what the platform's API takes */
  readonly maxBodyBytes?: number;
}

/**
 * A service that lets requests through or refuses them. It gets the headers alone, with the method and the path in
 * `X-Forwarded-Method` and `X-Forwarded-Uri`. Where it answers 2xx, the request goes on with the header `Authorization` of
 * that answer. Any other answer is the client's.
 * @see https://caddyserver.com/docs/caddyfile/directives/forward_auth
 */
export interface AskedFirst {
  /** Name of the service. */
  readonly service: string;
  /** Name of its port. */
  readonly port: string;
  /** Path there. */
  readonly path: string;
}

/** What a route leads to: a workload, or one that is still to come. */
export interface RouteTarget {
  /** Name of the workload, and of its Service. */
  readonly name: string;
  /** Its DNS name inside the cluster. */
  readonly host: string;
  /** Number of one of its ports. @throws Error for a port that it has not */
  portOf(name: string): number;
  /** These ports of it, as the other end of a connection. */
  peer(...names: readonly string[]): Peer;
}
