/** Why an image could not be had. */
export interface PullFailure {
  /** True where trying again cannot help: the name is wrong, unknown or refused. */
  readonly final: boolean;
  readonly description: string;
}

const PULL_REASONS: ReadonlySet<string> = new Set([
  'ErrImagePull',
  'ImagePullBackOff',
  'InvalidImageName',
  'ErrImageNeverPull',
  'ImageInspectError',
  'RegistryUnavailable',
  'SignatureValidationFailed',
]);

/** Is this the reason of a container that waits for an image it does not get? */
export function isPullReason(reason: string): boolean {
  return PULL_REASONS.has(reason);
}

/** Puts the kubelet's and containerd's words into a person's. */
export function explainPull(image: string, reason: string, message: string): PullFailure {
  const name = JSON.stringify(image);
  if (reason === 'InvalidImageName') {
    return {
      final: true,
      description: `${name} is not an image name: expected [REGISTRY/]PATH[:TAG], in lower case`,
    };
  }
  const host = registryOf(image);
  const unreachable = unreachableIn(message);
  if (unreachable !== undefined) {
    return {
      // It may come back; the job's patience is the scheduler's.
      final: false,
      description: `image ${name}: this cluster's registry has none of that name, and ${host} cannot be reached (${unreachable}). Check the name, or ask the administrator to add the image`,
    };
  }
  if (/not found|manifest unknown|name unknown|no such image/i.test(message)) {
    return { final: true, description: `image ${name}: ${host} has no such image or tag. Check the name` };
  }
  if (/unauthorized|denied|forbidden|401|403|insufficient_scope|authorization failed/i.test(message)) {
    return {
      final: true,
      description: `image ${name}: ${host} does not let it be pulled: no such repository, or it is private. Check the name, or ask its owner for access`,
    };
  }
  if (/no match for platform|no matching manifest/i.test(message)) {
    return { final: true, description: `image ${name} is not built for this cluster's processors` };
  }
  if (/no space left/i.test(message)) {
    return { final: false, description: `image ${name}: the node has no disk space left for it` };
  }
  return { final: false, description: `image ${name} could not be pulled: ${lastClause(message)}` };
}

/** What of a network error tells why; undefined where it is none. */
function unreachableIn(message: string): string | undefined {
  const found =
    /(lookup [^\s:]+)[^:]*(?::\d+)?: (no such host|i\/o timeout|server misbehaving|Temporary failure in name resolution)/.exec(
      message,
    ) ??
    /dial tcp[^:]*(?:\[[^\]]*\])?[^:]*:?\d*: (?:connect: )?(connection refused|no route to host|network is unreachable|i\/o timeout|connection timed out)/.exec(
      message,
    ) ??
    /(i\/o timeout|TLS handshake timeout|context deadline exceeded|connection reset by peer|network is unreachable|proxyconnect tcp)/.exec(
      message,
    );
  return found?.slice(1).filter(Boolean).join(': ');
}

/** The registry that a name means: docker.io where it names none. */
export function registryOf(image: string): string {
  const first = image.split('/', 1)[0] ?? '';
  const isHost = image.includes('/') && (first.includes('.') || first.includes(':') || first === 'localhost');
  return isHost ? first : 'docker.io';
}

function lastClause(message: string): string {
  const text = message.trim();
  return text.length <= 300 ? text : `…${text.slice(-300)}`;
}
