import { parseRegistry, refusedRegistry, registryOf } from '@delos/core';

/*
 * What kept a node from having an image, read from the words of kubelet and container runtime (containerd, CRI-O, and
 * dockerd behind cri-dockerd). There is nothing else to read: the kubelet passes errors on as text.
 */

export type PullCause =
  /** It is no image name. */
  | 'name'
  | 'not-found'
  /** The registry wants to know who asks. It says the same of repositories that it does not have. */
  | 'private'
  | 'platform'
  | 'disk'
  /** The registry was asked too often. */
  | 'rate'
  /** The registry answers that it has trouble. */
  | 'server'
  | 'signature'
  /** DNS says that there is no such host. */
  | 'unknown-host'
  /** No answer, or none that a registry gives. */
  | 'unreachable'
  | 'unknown';

/** Words that no image name can hold, since it has no blanks, and no `: ` before its end. In this order. */
const PATTERNS: readonly (readonly [RegExp, PullCause])[] = [
  [/\bno space left on device|\bdisk quota exceeded/i, 'disk'],
  [
    /\bno match for platform in manifest|\bno matching manifest for |\bno image found in \S+ list for arch/i,
    'platform',
  ],
  [/(?:^|: )toomanyrequests: |\bpull rate limit|\brate limit exceeded|\bToo Many Requests\b/i, 'rate'],
  [/: no such host\b|: Name or service not known\b/i, 'unknown-host'],
  [
    /\bdial (?:tcp|udp)\b|\bread (?:tcp|udp)\b|: (?:unexpected )?EOF\b|: EOF$|i\/o timeout|TLS handshake timeout|deadline exceeded|timeout awaiting|Client\.Timeout exceeded|connection (?:refused|reset|timed out)|no route to host|network is unreachable|proxyconnect tcp|: server misbehaving|Temporary failure in name resolution|x509: |tls: |malformed HTTP|server gave HTTP response to HTTPS client|http2: |use of closed network|: context canceled|registry is unavailable/i,
    'unreachable',
  ],
  [
    /: not found\s*$|(?:^|: |\n)manifest unknown\b|(?:^|: |\n)name unknown\b|\bmanifest for \S+ not found\b|\brepository \S+ not found\b|\bno such image\b|(?:^|: )NAME_UNKNOWN\b/i,
    'not-found',
  ],
  [
    /\bpull access denied(?:,| for |\s*$)|repository does not exist or may require |\binsufficient_scope\b|requested access to the resource is denied|\bauthentication required\b|no basic auth credentials|\bauthorization failed\s*$|(?:^|: |\n)(?:denied|unauthorized): \S/i,
    'private',
  ],
  [/signature validation failed|\bsignature was required|\bSource image rejected: /i, 'signature'],
];
/**
 * How a registry's answer is told: `unexpected status from GET request to URL: 503 Service Unavailable` and its like.
 */
const STATUS =
  /(?:unexpected status|status code|HTTP status|StatusCode|error parsing HTTP)(?:[a-zA-Z ]*)[:\s]*\b(\d{3})\b(?= |,|\(|:|$)/i;
/** What a node does with an image that it has found. Where this fails, the fault is the node's. */
const OWN_WORK =
  /failed to (?:extract layer|prepare extraction snapshot|unpack image on|copy|commit|apply|register layer)|could not fetch content descriptor/i;

/** Judges an error by its own words: those that come from the image's name do not count. */
export function pullCause(image: string, reason: string, message: string): PullCause {
  if (reason === 'InvalidImageName') return 'name';
  if (reason === 'SignatureValidationFailed') return 'signature';
  // A registry may send the node on to another host, which may be one that users must not make it ask.
  if (hostsIn(message).some((host) => isStrange(host, image))) return 'unreachable';
  const text = withoutNames(message, image);
  const first = PATTERNS.find(([words]) => words.test(text))?.[1];
  if (first === 'disk' || first === 'platform' || first === 'rate') return first;
  const status = Number(STATUS.exec(text)?.[1] ?? 0);
  if (status === 429) return 'rate';
  if (status >= 500) return 'server';
  if (status === 404 && !OWN_WORK.test(text)) return 'not-found';
  if (status === 401 || status === 403) return 'private';
  if (first === 'not-found' && OWN_WORK.test(text)) return 'unknown';
  if (first !== undefined) return first;
  return reason === 'RegistryUnavailable' ? 'unreachable' : 'unknown';
}

function hostsIn(message: string): readonly string[] {
  const urls = message.matchAll(/\bhttps?:\/\/([^/\s"?]+)/gi);
  const dialled = message.matchAll(/\bdial (?:tcp|udp) (\S+?)(?=: |\s|$)/gi);
  return [...urls, ...dialled].flatMap(([, host]) => host ?? []);
}

/** Whether a host is neither the image's own registry nor one that users may make a node ask. */
function isStrange(host: string, image: string): boolean {
  const own = parseRegistry(registryOf(image))?.host;
  return parseRegistry(host)?.host !== own && refusedRegistry(host, []) !== undefined;
}

/** An error without what the user's image name, and addresses made of it, put into its text. */
function withoutNames(message: string, image: string): string {
  const names = namesOf(image);
  return (
    message
      // Its quotes are escaped where an error quotes another one.
      .replaceAll('\\"', '"')
      .replaceAll(/"[^"]*"/g, '""')
      .replaceAll(/\b(?:https?|docker):\/\/\S+?(?=[:,]?(?:\s|$))/gi, '')
      // containerd: `unexpected status code [manifests TAG]: …`
      .replaceAll(/\[[^\]]*\]/g, '')
      // CRI-O: `reading manifest TAG in HOST/PATH: …`
      .replaceAll(/(reading manifest|reading signatures for) \S+ in \S+?(?=:?\s|$)/gi, '$1')
      .replaceAll(/\S+/g, (word) => {
        const end = /[:,.;)]*$/.exec(word)?.[0] ?? '';
        return names.has(word.slice(0, word.length - end.length)) ? `NAME${end}` : word;
      })
  );
}

/** The ways in which an image's name is written. A bare word does not count: it could be a word of the error itself. */
function namesOf(image: string): ReadonlySet<string> {
  const [repository = '', digest] = image.split('@');
  const colon = repository.lastIndexOf(':');
  const isTagged = colon > repository.lastIndexOf('/');
  const path = isTagged ? repository.slice(0, colon) : repository;
  const tags = isTagged ? ['', repository.slice(colon)] : ['', ':latest'];
  const digests = digest === undefined ? [''] : ['', `@${digest}`];
  const prefixes = ['', 'library/', 'docker.io/', 'docker.io/library/', 'index.docker.io/', 'localhost/'];
  const all = prefixes.flatMap((prefix) =>
    tags.flatMap((tag) => digests.map((suffix) => `${prefix}${path}${tag}${suffix}`)),
  );
  return new Set(all.filter((name) => /[/:@]/.test(name)));
}
