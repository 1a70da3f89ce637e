import type { k8s } from 'cdk8s-plus-28';
import type { Peer } from '../connections.ts';
import { env } from '../secret-folder.ts';
import type { Workload } from '../workload.ts';
import type { Authorities } from './authorities.ts';

/**
 * The variable by which a program is told whom to trust beside, or in place of, the public authorities:
 * `SSL_CERT_FILE` Go and OpenSSL, `NODE_EXTRA_CA_CERTS` Node, `KC_TRUSTSTORE_PATHS` Keycloak.
 */
export type TrustVariable = 'SSL_CERT_FILE' | 'NODE_EXTRA_CA_CERTS' | 'KC_TRUSTSTORE_PATHS';

/** How a service dials out of the cluster. */
export interface DialsOut {
  /** How its program is told of certificate authorities. */
  readonly trustedBy: TrustVariable;
  /** What it reaches is the site's own, and reached without the proxy. @default false */
  readonly direct?: boolean;
}

/** A proxy as Pods see it. */
export interface PodProxy {
  /** Its URL, without a login. */
  readonly url: string;
  /** What is reached without it, as NO_PROXY has it. */
  readonly none: string;
  /** Where it is. */
  readonly peer: Peer;
}

/** Variables that most programs read their proxy from. */
export const proxyEnv = ({ url, none }: Pick<PodProxy, 'url' | 'none'>): readonly k8s.EnvVar[] => [
  env('HTTP_PROXY', url),
  env('HTTPS_PROXY', url),
  env('NO_PROXY', none),
];

/** Leads what a workload dials outside through the proxy, and has it trust the authorities. */
export function leadOut(
  workload: Workload,
  { trustedBy, direct }: DialsOut,
  { proxy, authorities }: { readonly proxy?: PodProxy | undefined; readonly authorities?: Authorities | undefined },
): void {
  if (proxy !== undefined && direct !== true) {
    workload.add({ env: proxyEnv(proxy) });
    workload.reach(proxy.peer);
  }
  if (authorities === undefined) return;
  workload.add({ env: [env(trustedBy, authorities.file)], mounts: [authorities.mount()] });
  workload.after(authorities);
}
