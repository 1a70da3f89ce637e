import { k8s } from 'cdk8s-plus-28';
import { Construct } from 'constructs';
import { PART_OF, PLATFORM_NAMESPACE } from './names.ts';

export interface AgentRightsProps {
  readonly serviceAccount: string;
}

const rule = (group: string, resources: readonly string[], verbs: readonly string[]): k8s.PolicyRule => ({
  apiGroups: [group],
  resources: [...resources],
  verbs: [...verbs],
});

/**
 * What the agent may do, and no more: project namespaces with their policies, jobs' Pods and streams into them; nodes
 * and events to read. No Secret, no log (the collector reads the disk), no right to grant rights.
 */
export class AgentRights extends Construct {
  constructor(scope: Construct, id: string, props: AgentRightsProps) {
    super(scope, id);
    const metadata = { name: 'delos-agent', labels: { ...PART_OF } };
    new k8s.KubeClusterRole(this, 'role', {
      metadata,
      rules: [
        rule('', ['namespaces'], ['get', 'create', 'patch']),
        rule('', ['pods'], ['get', 'list', 'watch', 'create', 'patch', 'delete']),
        // A WebSocket begins as a GET.
        rule('', ['pods/attach', 'pods/exec', 'pods/portforward'], ['get', 'create']),
        rule('networking.k8s.io', ['networkpolicies'], ['get', 'create', 'patch']),
        rule('', ['nodes', 'events'], ['list', 'watch']),
        rule('metrics.k8s.io', ['pods'], ['get']),
      ],
    });
    new k8s.KubeClusterRoleBinding(this, 'binding', {
      metadata,
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: metadata.name },
      subjects: [{ kind: 'ServiceAccount', name: props.serviceAccount, namespace: PLATFORM_NAMESPACE }],
    });
  }
}
