import type { PullCause } from '../../../runtime/service/src/agent/pull-cause.ts';

/** An image name, whole and in its parts, as errors write them. */
export interface NamedImage {
  /** As its user wrote it. */
  readonly given: string;
  /** `HOST/PATH`. */
  readonly repository: string;
  readonly host: string;
  readonly path: string;
  readonly tag: string;
}

export function namedImage(host: string, path: string, tag: string): NamedImage {
  const isHub = host === 'docker.io';
  const full = isHub && !path.includes('/') ? `library/${path}` : path;
  const given = isHub ? `${path}:${tag}` : `${host}/${path}:${tag}`;
  return { given, repository: `${host}/${full}`, host: isHub ? 'registry-1.docker.io' : host, path: full, tag };
}

type Error = (image: NamedImage) => string;

const unpack =
  (rest: Error): Error =>
  (image) =>
    `failed to pull and unpack image "${image.repository}:${image.tag}": ${rest(image)}`;
const resolve = (rest: Error): Error =>
  unpack((image) => `failed to resolve reference "${image.repository}:${image.tag}": ${rest(image)}`);
const head = (rest: string): Error =>
  resolve(({ host, path, tag }) => `failed to do request: Head "https://${host}/v2/${path}/manifests/${tag}": ${rest}`);
const answered = (status: string): Error =>
  resolve(
    ({ host, path, tag }) =>
      `unexpected status from HEAD request to https://${host}/v2/${path}/manifests/${tag}: ${status}`,
  );
const token = (rest: string): Error =>
  resolve(
    ({ path }) =>
      `failed to authorize: failed to fetch anonymous token: ${rest.replace('URL', `https://auth.docker.io/token?scope=repository%3A${encodeURIComponent(path)}%3Apull&service=registry.docker.io`)}`,
  );
const crio =
  (rest: Error): Error =>
  (image) =>
    `initializing source docker://${image.repository}:${image.tag}: ${rest(image)}`;
const manifest = (rest: string): Error =>
  crio(({ repository, tag }) => `reading manifest ${tag} in ${repository}: ${rest}`);
const rpc =
  (rest: Error, code = 'Unknown'): Error =>
  (image) =>
    `rpc error: code = ${code} desc = ${rest(image)}`;
const backOff =
  (rest: Error): Error =>
  (image) =>
    `Back-off pulling image "${image.given}": ErrImagePull: ${rest(image)}`;
const ADDRESS = '93.184.215.14:443';

/**
 * Errors of real pulls: of containerd (with the old forms of 1.2 and 1.6), of CRI-O and of dockerd, as the kubelet shows
 * them, and what each means.
 */
export const PULL_ERRORS: readonly (readonly [string, PullCause, Error])[] = [
  [
    'an unknown tag',
    'not-found',
    rpc(
      resolve(({ repository, tag }) => `${repository}:${tag}: not found`),
      'NotFound',
    ),
  ],
  [
    '… while the kubelet waits',
    'not-found',
    backOff(resolve(({ repository, tag }) => `${repository}:${tag}: not found`)),
  ],
  ['an unknown tag, told by its status', 'not-found', answered('404 Not Found')],
  ['an unknown tag, to CRI-O', 'not-found', rpc(manifest('manifest unknown'))],
  ['… with the registry’s words', 'not-found', manifest('manifest unknown: manifest unknown')],
  ['an unknown repository, to CRI-O', 'not-found', manifest('name unknown: repository not found')],
  [
    'an unknown tag, to dockerd',
    'not-found',
    rpc(
      ({ given }) => `Error response from daemon: manifest for ${given} not found: manifest unknown: manifest unknown`,
    ),
  ],
  [
    'an unknown repository, to dockerd',
    'not-found',
    ({ repository }) =>
      `Error response from daemon: repository ${repository} not found: name unknown: The repository with name 'x' does not exist in the registry with id '1'`,
  ],
  [
    'a private repository of Docker Hub',
    'private',
    resolve(
      () =>
        'pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed',
    ),
  ],
  ['a private repository of ghcr', 'private', answered('403 Forbidden')],
  ['… whose token is refused', 'private', token('unexpected status from GET request to URL: 401 Unauthorized')],
  ['… to an older containerd', 'private', token('unexpected status: 403 Forbidden')],
  [
    'a private repository, to containerd 1.2',
    'private',
    resolve(({ tag }) => `unexpected status code [manifests ${tag}]: 401 Unauthorized`),
  ],
  [
    'a private repository of Amazon',
    'private',
    resolve(
      () =>
        'pull access denied, repository does not exist or may require authorization: authorization failed: no basic auth credentials',
    ),
  ],
  [
    'a private repository, to CRI-O',
    'private',
    manifest('errors:\ndenied: requested access to the resource is denied\nunauthorized: authentication required'),
  ],
  [
    '… whose token is refused',
    'private',
    crio(() => 'Requesting bearer token: invalid status code from registry 403 (Forbidden)'),
  ],
  ['… of quay', 'private', manifest('unauthorized: access to the requested resource is not authorized')],
  [
    'a private repository, to dockerd',
    'private',
    ({ repository }) =>
      `Error response from daemon: pull access denied for ${repository}, repository does not exist or may require 'docker login': denied: requested access to the resource is denied`,
  ],
  ['an image of other processors', 'platform', unpack(() => 'no match for platform in manifest: not found')],
  [
    '… to CRI-O',
    'platform',
    () =>
      'choosing an image from manifest list docker://x: no image found in manifest list for architecture "s390x", variant "", OS "linux"',
  ],
  ['… to dockerd', 'platform', () => 'no matching manifest for linux/arm64/v8 in the manifest list entries'],
  ['too many pulls, at the manifest', 'rate', answered('429 Too Many Requests')],
  [
    'too many pulls, at a layer',
    'rate',
    unpack(
      ({ path }) =>
        `failed to copy: httpReadSeeker: failed open: unexpected status code https://registry-1.docker.io/v2/${path}/manifests/sha256:8d0b: 429 Too Many Requests - Server message: toomanyrequests: You have reached your pull rate limit. You may increase the limit by authenticating and upgrading: https://www.docker.com/increase-rate-limit`,
    ),
  ],
  [
    '… of one who has not said who it is',
    'rate',
    unpack(
      ({ path }) =>
        `failed to copy: httpReadSeeker: failed open: unexpected status from GET request to https://registry-1.docker.io/v2/${path}/manifests/sha256:ba57: 429 Too Many Requests\ntoomanyrequests: You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit`,
    ),
  ],
  [
    'too many tokens',
    'rate',
    resolve(
      () =>
        'failed to authorize: failed to fetch oauth token: unexpected status from POST request to https://auth.docker.io/token: 429 Too Many Requests',
    ),
  ],
  [
    'too many pulls, to CRI-O',
    'rate',
    rpc(
      manifest(
        'toomanyrequests: You have reached your pull rate limit. You may increase the limit by authenticating and upgrading: https://www.docker.com/increase-rate-limit',
      ),
    ),
  ],
  [
    'too many pulls, to dockerd',
    'rate',
    () =>
      'Error response from daemon: toomanyrequests: You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit',
  ],
  ['trouble of the registry', 'server', answered('503 Service Unavailable')],
  ['trouble of the registry’s gateway', 'server', answered('502 Bad Gateway')],
  [
    'trouble with a layer',
    'server',
    unpack(
      ({ path }) =>
        `failed to copy: httpReadSeeker: failed open: unexpected status code https://registry-1.docker.io/v2/${path}/blobs/sha256:56a6: 500 Internal Server Error`,
    ),
  ],
  ['trouble of who gives tokens', 'server', token('unexpected status: 503 Service Unavailable')],
  [
    'trouble of the registry, to CRI-O',
    'server',
    crio(() => 'pinging container registry quay.io: received unexpected HTTP status: 504 Gateway Timeout'),
  ],
  [
    'a full disk',
    'disk',
    unpack(
      () =>
        'failed to extract layer sha256:dacd: mount callback failed on /var/lib/containerd/tmpmounts/containerd-mount2529: write /var/lib/containerd/tmpmounts/containerd-mount2529/lib/libc.so: no space left on device: unknown',
    ),
  ],
  [
    '… while it is copied',
    'disk',
    unpack(
      () =>
        'failed to copy: failed to send write: write /var/lib/containerd/io.containerd.content.v1.content/ingest/9a/data: no space left on device: unknown',
    ),
  ],
  [
    '… to CRI-O',
    'disk',
    () =>
      'writing blob: storing blob to file "/var/tmp/storage123/1": write /var/tmp/storage123/1: no space left on device',
  ],
  [
    '… to dockerd',
    'disk',
    () =>
      'failed to register layer: Error processing tar file(exit status 1): write /usr/lib/libdns.so: no space left on device',
  ],
  [
    'a host that DNS does not know',
    'unknown-host',
    head('dial tcp: lookup registry-1.docker.io on 10.203.0.10:53: no such host'),
  ],
  [
    '… to CRI-O',
    'unknown-host',
    crio(
      () =>
        'pinging container registry nope.invalid: Get "https://nope.invalid/v2/": dial tcp: lookup nope.invalid: no such host',
    ),
  ],
  [
    'DNS in trouble',
    'unreachable',
    head('dial tcp: lookup registry-1.docker.io on 10.203.0.10:53: server misbehaving'),
  ],
  ['DNS that is silent', 'unreachable', head('dial tcp: lookup registry-1.docker.io: i/o timeout')],
  [
    'DNS in trouble, to a proxy',
    'unreachable',
    crio(
      () =>
        'error pinging docker registry registry-1.docker.io: Get "https://registry-1.docker.io/v2/": proxyconnect tcp: dial tcp: lookup proxy: Temporary failure in name resolution',
    ),
  ],
  ['a closed port', 'unreachable', head(`dial tcp ${ADDRESS}: connect: connection refused`)],
  ['a port that nothing answers', 'unreachable', head(`dial tcp ${ADDRESS}: i/o timeout`)],
  ['… for long', 'unreachable', head(`dial tcp ${ADDRESS}: connect: connection timed out`)],
  ['a host out of reach', 'unreachable', head(`dial tcp ${ADDRESS}: connect: no route to host`)],
  ['an open port that speaks plain HTTP', 'unreachable', head('http: server gave HTTP response to HTTPS client')],
  [
    'an open port that speaks something else',
    'unreachable',
    head('tls: first record does not look like a TLS handshake'),
  ],
  ['an open port that hangs up', 'unreachable', head('EOF')],
  ['… in the middle', 'unreachable', head(`read tcp 10.201.0.2:41234->${ADDRESS}: read: connection reset by peer`)],
  [
    'an open port with a certificate of another',
    'unreachable',
    head('tls: failed to verify certificate: x509: certificate is valid for kubelet, not registry.example'),
  ],
  ['… that nobody knows', 'unreachable', head('x509: certificate signed by unknown authority')],
  ['an open port that is silent', 'unreachable', head('net/http: TLS handshake timeout')],
  ['… after a while', 'unreachable', head('context deadline exceeded')],
  ['… without headers', 'unreachable', head('net/http: timeout awaiting response headers')],
  [
    '… with other words than HTTP has',
    'unreachable',
    head('net/http: HTTP/1.x transport connection broken: malformed HTTP response "SSH-2.0-OpenSSH_9.6"'),
  ],
  ['a token that does not come', 'unreachable', token('Get "URL": EOF')],
  [
    'a layer that breaks off',
    'unreachable',
    unpack(
      () =>
        'failed to copy: httpReadSeeker: failed open: failed to do request: Get "https://production.cloudflare.docker.com/registry-v2/docker/registry/v2/blobs/sha256/aa/data": EOF',
    ),
  ],
  [
    '… in its middle',
    'unreachable',
    unpack(() => 'failed to copy: read tcp 10.0.0.1:3->93.184.215.14:443: read: connection reset by peer'),
  ],
  ['… before its end', 'unreachable', unpack(() => 'failed to extract layer sha256:aa: unexpected EOF')],
  [
    'a registry that sends the node to itself',
    'unreachable',
    resolve(
      () =>
        'failed to authorize: failed to fetch anonymous token: unexpected status from GET request to http://127.0.0.1:10248/healthz: 404 Not Found',
    ),
  ],
  [
    '… where no port is open',
    'unreachable',
    resolve(
      () =>
        'failed to authorize: failed to fetch anonymous token: Get "http://127.0.0.1:10249/": dial tcp 127.0.0.1:10249: connect: connection refused',
    ),
  ],
  [
    '… which wants to know who asks',
    'unreachable',
    unpack(
      () =>
        'failed to copy: httpReadSeeker: failed open: unexpected status from GET request to https://10.201.0.2:10250/pods: 401 Unauthorized',
    ),
  ],
  [
    '… into the cluster',
    'unreachable',
    unpack(
      () =>
        'failed to copy: httpReadSeeker: failed open: unexpected status from GET request to http://postgres.delos.svc:5432/: 403 Forbidden',
    ),
  ],
  [
    'a parent of a layer that has gone',
    'unknown',
    unpack(
      () =>
        'failed to prepare extraction snapshot "extract-1 sha256:aa": parent snapshot sha256:bb does not exist: not found',
    ),
  ],
  [
    'a layer that the registry has lost',
    'unknown',
    unpack(
      () =>
        'failed to copy: httpReadSeeker: failed open: content at https://registry-1.docker.io/v2/x/blobs/sha256:aa: not found',
    ),
  ],
  [
    'a folder that may not be written',
    'unknown',
    unpack(() => 'failed to extract layer sha256:aa: mkdir /var/lib/x: permission denied'),
  ],
  ['nothing but that it is waited', 'unknown', ({ given }) => `Back-off pulling image "${given}"`],
];
