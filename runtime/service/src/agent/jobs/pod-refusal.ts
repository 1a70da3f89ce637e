import type { Reason } from '@delos/core';
import { KubeError } from '@delos/kube';

export interface Refusal {
  readonly reason: Reason;
  readonly description: string;
  /** Trying again cannot help. */
  readonly final: boolean;
  /** As if the namespace had been deleted. */
  readonly forgetNamespace: boolean;
}

/** Why the API server did not make a job's Pod; undefined where it did not answer. */
export function explainRefusal(error: unknown): Refusal | undefined {
  if (!(error instanceof KubeError)) return undefined;
  const { status, message } = error;
  const refusal = (reason: Reason, description: string, final: boolean, forgetNamespace = false): Refusal => ({
    reason,
    description,
    final,
    forgetNamespace,
  });
  if (status === 422 || status === 400)
    return refusal('CannotStart', `Kubernetes does not accept it: ${clip(message)}`, true);
  if (status === 403 && /violates PodSecurity/.test(message)) {
    return refusal('CannotStart', `the project's security level does not permit it: ${clip(message)}`, true);
  }
  if (status === 403 && /exceeded quota/.test(message)) {
    return refusal('QuotaExhausted', `its namespace has a quota that is used up: ${clip(message)}`, false);
  }
  // The namespace's service account, or a priority class, is on its way; or the agent has lost its rights there, which it
  // has by a RoleBinding that is made with the namespace.
  if (status === 403) {
    const again = /being terminated|^(?:pods|(?:pods|secrets) "[^"]*") is forbidden: User /.test(message);
    return refusal('Creating', `waiting for the cluster: ${clip(message)}`, false, again);
  }
  if (status === 404) return refusal('Creating', 'its namespace is made again', false, true);
  return refusal('Creating', `the Kubernetes API server answered ${status}: ${clip(message)}`, false);
}

function clip(message: string): string {
  return message.length <= 300 ? message : `${message.slice(0, 300)}…`;
}
