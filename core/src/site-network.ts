import type { NetworkSection, SiteProxy } from './config/network.ts';
import { isLoopback } from './loopback.ts';
import { CLUSTER_DOMAIN } from './words/cluster-names.ts';

/** The URL of the proxy for each scheme. */
export function proxyUrls({ http, https }: Pick<SiteProxy, 'http' | 'https'>): {
  readonly http: string;
  readonly https: string;
} {
  const [first = '', second = first] = [http, https].filter((url) => url !== undefined);
  return { http: trim(http ?? second), https: trim(https ?? first) };
}

const trim = (url: string): string => url.replace(/\/$/, '');

/** Whether Pods of the platform trust more than their images do. */
export const trustsMore = ({ authorities, jobs }: NetworkSection): boolean =>
  authorities.length > 0 || jobs.authorities === true;

/** Whether jobs get the file of authorities. */
export const jobsTrustMore = (section: NetworkSection): boolean =>
  trustsMore(section) && section.jobs.authorities !== false;

/** What no proxy is asked for, whoever dials: this machine and the cluster's own names. */
const ALWAYS_DIRECT = ['localhost', '127.0.0.0/8', '::1', '.svc', `.${CLUSTER_DOMAIN}`];

/**
 * The value of NO_PROXY: what is always direct, what the site says, the platform's own name, and the cluster's ranges.
 * @param ranges of the cluster: its Pods, Services and nodes
 */
export function noProxy(
  { network: { proxy }, domain }: { readonly network: NetworkSection; readonly domain: string },
  ranges: readonly string[],
): string {
  const own = isLoopback(domain) ? [] : /^[\d.]+$/.test(domain) ? [domain] : [domain, `.${domain}`];
  return [...new Set([...ALWAYS_DIRECT, ...ranges, ...own, ...(proxy?.no ?? [])])].join(',');
}
