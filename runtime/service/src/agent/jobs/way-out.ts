import { AUTHORITIES_KEY, AUTHORITIES_NAME } from '@delos/core';

/** What jobs are given of the way out of the cluster. */
export interface WayOut {
  /** The proxy that they may use; undefined: none. */
  readonly proxy: { readonly url: string; readonly none: string } | undefined;
  /** Whether their namespaces have a ConfigMap of certificate authorities. */
  readonly authorities: boolean;
}

/** Where the platform alone decides what is there. */
export const NO_WAY_OUT: WayOut = { proxy: undefined, authorities: false };

const FOLDER = '/etc/delos-authorities';
const FILE = `${FOLDER}/${AUTHORITIES_KEY}`;

/**
 * Variables that programs find authorities by. The file has the public ones too, since most of these replace a program's
 * own list: Go and OpenSSL, Python's requests, curl, git, pip, Node, AWS' libraries.
 */
const TRUST = [
  'SSL_CERT_FILE',
  'REQUESTS_CA_BUNDLE',
  'CURL_CA_BUNDLE',
  'GIT_SSL_CAINFO',
  'PIP_CERT',
  'NODE_EXTRA_CA_CERTS',
  'AWS_CA_BUNDLE',
];

/** Variables of a job's environment. What the job sets itself stands above them. */
export function wayOutEnv({ proxy, authorities }: WayOut): Readonly<Record<string, string>> {
  const both = (name: string, value: string): readonly (readonly [string, string])[] => [
    [name, value],
    [name.toLowerCase(), value],
  ];
  return Object.fromEntries([
    ...(proxy === undefined
      ? []
      : [
          ...both('HTTP_PROXY', proxy.url),
          ...both('HTTPS_PROXY', proxy.url),
          ...both('NO_PROXY', proxy.none),
          ['NODE_USE_ENV_PROXY', '1'] as const,
        ]),
    ...(authorities ? TRUST.map((name) => [name, FILE] as const) : []),
  ]);
}

/** The volume with the authorities, and where it is. */
export function wayOutVolumes({ authorities }: WayOut): {
  readonly volumes: readonly object[];
  readonly mounts: readonly object[];
} {
  if (!authorities) return { volumes: [], mounts: [] };
  const name = AUTHORITIES_NAME;
  return {
    volumes: [{ name, configMap: { name } }],
    mounts: [{ name, mountPath: FOLDER, readOnly: true }],
  };
}
