import { isLoopback, type PlatformConfig } from '@delos/core';

/** What the gateway's plain http port does: the official client trusts public roots only, so loopback is served. */
export function plainHttp(config: PlatformConfig): 'serve' | 'redirect' | 'none' {
  if (config.gateway.http === 'off') return 'none';
  if (config.gateway.http === 'on') return 'serve';
  return isLoopback(config.domain) ? 'serve' : 'redirect';
}

/** The platform's one origin, no trailing slash. `ports` are those that answer outside; 0 counts as the usual one. */
export function publicUrlOf(
  config: PlatformConfig,
  ports: { readonly httpPort: number; readonly httpsPort: number },
): string {
  // What listens on loopback has IPv4 alone; the name `localhost` may mean ::1 first.
  const host = config.domain === 'localhost' ? '127.0.0.1' : config.domain;
  const [scheme, port, usual] =
    plainHttp(config) === 'serve'
      ? (['http', ports.httpPort, 80] as const)
      : (['https', ports.httpsPort, 443] as const);
  return `${scheme}://${host}${port === usual || port === 0 ? '' : `:${port}`}`;
}
