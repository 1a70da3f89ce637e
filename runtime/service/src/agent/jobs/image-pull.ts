import { registryOf } from '@delos/core';
import { type PullCause, pullCause } from '../pull-cause.ts';

/** Why an image could not be had. */
export interface PullFailure {
  /** True where trying again cannot help: the name is wrong, unknown or refused. */
  readonly final: boolean;
  /** True where DNS knows no such registry. It gets less time than other faults that may pass. */
  readonly unknownHost: boolean;
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
const FINAL: ReadonlySet<PullCause> = new Set(['name', 'not-found', 'private', 'platform']);

/** Is this the reason of a container that waits for an image it does not get? */
export function isPullReason(reason: string): boolean {
  return PULL_REASONS.has(reason);
}

/**
 * Says in plain words what kubelet and container runtime report. Their own words are not passed on: they would tell a
 * user which ports are open at hosts that the node reaches.
 * @param secret whose credentials the node has shown
 */
export function explainPull(image: string, reason: string, message: string, secret?: string): PullFailure {
  const cause = pullCause(image, reason, message);
  return {
    final: FINAL.has(cause),
    unknownHost: cause === 'unknown-host',
    description: describe(cause, JSON.stringify(image), registryOf(image), secret),
  };
}

function describe(cause: PullCause, name: string, host: string, secret: string | undefined): string {
  const nowhere = `image ${name}: this cluster's registry has none of that name, and ${host} cannot be reached`;
  switch (cause) {
    case 'name':
      return `${name} is not an image name: expected [REGISTRY/]PATH[:TAG], in lower case`;
    case 'not-found':
      return `image ${name}: ${host} has no such image or tag. Check the name`;
    case 'private':
      if (secret !== undefined) {
        return `image ${name}: ${host} refuses the credentials of secret ${JSON.stringify(secret)}, or has no such repository. Check the name, and add the secret again`;
      }
      return `image ${name}: ${host} does not let it be pulled: no such repository, or it is private. Check the name, or ask its owner for access`;
    case 'platform':
      return `image ${name} is not built for this cluster's processors`;
    case 'disk':
      return `image ${name}: the node has no disk space left for it`;
    case 'rate':
      return `image ${name}: ${host} refuses for now, because it was asked too often. It is asked again`;
    case 'server':
      return `image ${name}: ${host} has trouble of its own. It is asked again`;
    case 'signature':
      return `image ${name}: its signature is not accepted by this cluster`;
    case 'unknown-host':
      return `${nowhere} (DNS does not know its name). Check the name, or ask the administrator to add the image`;
    case 'unreachable':
      return `${nowhere}, or does not answer as a registry does. Check the name, or ask the administrator to add the image`;
    case 'unknown':
      return `image ${name} could not be pulled. It is tried again; the Pod's events tell the administrator more`;
  }
}
