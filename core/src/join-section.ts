import type { Join } from './config/join.ts';
import type { PlatformConfig } from './config/shape.ts';

type Given<T> = { readonly [K in keyof T]-?: NonNullable<T[K]> };

/** A platform elsewhere that this cluster joins. */
export type JoinSection = Join & Given<Pick<Join, 'platform' | 'cluster' | 'token'>>;

/** The platform that this cluster joins; undefined where it has one of its own. */
export function joinOf(config: Pick<PlatformConfig, 'join'>): JoinSection | undefined {
  const { platform, cluster, token } = config.join;
  if (platform === undefined || cluster === undefined || token === undefined) return undefined;
  return { ...config.join, platform, cluster, token };
}
