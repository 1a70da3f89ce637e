/** Paths of the platform's one origin that go to a service. */
export interface Route {
  /** Caddy's path patterns: `/api/v1/*`. The path arrives as it came. */
  readonly paths: readonly string[];
  /** Requests of this method alone. Such a route goes before all of any method. @default any */
  readonly method?: string;
  /** Regular expression (RE2) that the path must match too. @default any path */
  readonly pattern?: string;
  /** Name of the service's port. */
  readonly port: string;
  /** Most bytes of a request's body. @default what the platform's API takes */
  readonly maxBodyBytes?: number;
}
