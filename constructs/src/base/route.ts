/** Paths of the platform's one origin that go to a service. */
export interface Route {
  /** Caddy's path patterns: `/api/v1/*`. The path arrives as it came. */
  readonly paths: readonly string[];
  /** Name of the service's port. */
  readonly port: string;
}
