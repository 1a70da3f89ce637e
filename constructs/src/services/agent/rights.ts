import { AGENT_PROJECT_ROLE, AGENT_ROLE, type FileVolumeSource } from '@delos/core';
import { k8s } from 'cdk8s-plus-28';
import { Construct } from 'constructs';
import { PART_OF } from '../../base/names.ts';
import type { Namespace } from '../../base/namespace.ts';
import { AgentPolicy } from './policy.ts';

export interface AgentRightsProps {
  readonly serviceAccount: string;
  /** Namespace of the account. */
  readonly namespace: Namespace;
  /** Namespaces of the projects whose jobs may be privileged. */
  readonly privilegedNamespaces: readonly string[];
  /** What volumes of projects' files are made of; undefined: it makes none. */
  readonly files: FileVolumeSource | undefined;
}

const RBAC = 'rbac.authorization.k8s.io';

const rule = (
  group: string,
  resources: readonly string[],
  verbs: readonly string[],
  resourceNames?: readonly string[],
): k8s.PolicyRule => ({
  apiGroups: [group],
  resources: [...resources],
  verbs: [...verbs],
  ...(resourceNames === undefined ? {} : { resourceNames: [...resourceNames] }),
});

/**
 * What the agent may do, and no more. Everywhere: see nodes and what Pods ask of them, read a volume by its name, make
 * project namespaces, and bind itself to one role, which {@link AgentPolicy} lets it do in project namespaces alone.
 * There: jobs' Pods with their events, streams into them, claims of disks, network policies, the Service that names jobs, Secrets to pull images by
 * and those of jobs, and the ConfigMap of authorities, which it writes and does not read. No other Secret, no log (the collector reads the disk), no
 * other right.
 */
export class AgentRights extends Construct {
  constructor(scope: Construct, id: string, props: AgentRightsProps) {
    super(scope, id);
    const metadata = { name: AGENT_ROLE, labels: { ...PART_OF } };
    const subject = { kind: 'ServiceAccount', name: props.serviceAccount, namespace: props.namespace.name };
    const policy = new AgentPolicy(this, 'policy', {
      namespace: props.namespace,
      serviceAccount: props.serviceAccount,
      privilegedNamespaces: props.privilegedNamespaces,
      files: props.files,
    });
    new k8s.KubeClusterRole(this, 'project-role', {
      metadata: { ...metadata, name: AGENT_PROJECT_ROLE },
      rules: [
        rule('', ['pods'], ['get', 'create', 'patch', 'delete']),
        rule('', ['persistentvolumeclaims'], ['get', 'list', 'watch', 'create', 'delete']),
        // Which ones, the policy says.
        rule('', ['secrets', 'configmaps', 'services'], ['create', 'patch']),
        // A WebSocket begins as a GET; from Kubernetes 1.35 on the right to create is asked for as well.
        rule('', ['pods/attach', 'pods/exec', 'pods/portforward'], ['get', 'create']),
        rule('', ['events'], ['list', 'watch']),
        rule('networking.k8s.io', ['networkpolicies'], ['create', 'patch']),
        rule('metrics.k8s.io', ['pods'], ['get', 'list']),
      ],
    });
    const role = new k8s.KubeClusterRole(this, 'role', {
      metadata,
      rules: [
        rule('', ['nodes'], ['list', 'watch']),
        // All Pods: what is left of a node is what it has less what every Pod on it asks for.
        rule('', ['pods'], ['list', 'watch']),
        // Of a disk's volume: the nodes that it can be mounted on. Of projects' files, which the policy says: volumes.
        rule('', ['persistentvolumes'], props.files === undefined ? ['get'] : ['get', 'create', 'delete']),
        rule('', ['namespaces'], ['create', 'patch']),
        rule(RBAC, ['rolebindings'], ['create']),
        rule(RBAC, ['clusterroles'], ['bind'], [AGENT_PROJECT_ROLE]),
      ],
    });
    const binding = new k8s.KubeClusterRoleBinding(this, 'binding', {
      metadata,
      roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name: metadata.name },
      subjects: [subject],
    });
    // Never the rights without their limits.
    for (const part of [role, binding]) part.addDependency(policy);
  }
}
