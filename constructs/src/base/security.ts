import type { k8s } from 'cdk8s-plus-28';

/**
 * Pod Security `restricted`, for an image whose files that user may read.
 * @param user from core's table of users; its group has the same number, and volumes are that group's
 * @param groups further groups whose files it may read
 */
export function podSecurity(user: number, groups: readonly number[] = []): k8s.PodSecurityContext {
  return {
    runAsNonRoot: true,
    runAsUser: user,
    runAsGroup: user,
    ...(groups.length === 0 ? {} : { supplementalGroups: [...groups] }),
    fsGroup: user,
    fsGroupChangePolicy: 'OnRootMismatch',
    seccompProfile: { type: 'RuntimeDefault' },
  };
}

/** Mode of a secret's file. With `fsGroup`, the kubelet lets that group alone read it too. */
export const SECRET_MODE = 0o400;

/** Every container: no way to more rights, a read-only root, no capabilities. */
export const CONTAINER_SECURITY: k8s.SecurityContext = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ['ALL'] },
};
