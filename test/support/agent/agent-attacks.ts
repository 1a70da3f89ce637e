import { projectNamespace } from '@delos/core';
import { authorityAttacks, authorityDuties } from './agent-authority-attacks.ts';
import { claimAttacks, claimDuties } from './agent-claim-attacks.ts';
import { metadataAttacks } from './agent-metadata-attacks.ts';
import {
  ADMISSION,
  type Attempt,
  applied,
  binding,
  CORE,
  ENFORCE,
  get,
  MANAGED,
  NEW,
  namespace,
  namespaceAs,
  OWN_ROLE,
  patch,
  pod,
  policy,
  post,
  RBAC,
  remove,
  socket,
  spaced,
  type Targets,
  TRUSTED,
} from './agent-requests.ts';
import { secretAttacks, secretDuties } from './agent-secret-attacks.ts';
import { serviceAttacks, serviceDuties } from './agent-service-attacks.ts';

/** What whoever has the agent's token may try. Each must be refused. */
export function attacks({ project, parts, dns, node }: Targets): readonly Attempt[] {
  const home = spaced(project.namespace);
  const bindings = (where: string): string => `${RBAC}/namespaces/${where}/rolebindings`;
  return [
    ['read the Secrets of kube-system', get(`${spaced('kube-system')}/secrets`)],
    ['read the Secrets of the platform', get(`${spaced('delos')}/secrets`)],
    ['read all Secrets', get(`${CORE}/secrets`)],
    ['read the Secrets of a project', get(`${home}/secrets`)],
    ['read the platform’s configuration', get(`${spaced('delos')}/configmaps/platform`)],
    ['read the log of a platform Pod', get(`${spaced('delos')}/pods/${parts.postgres}/log`)],
    ['read the log of a job', get(`${home}/pods/${project.pod}/log`)],
    ['read the events of kube-system', get(`${spaced('kube-system')}/events`)],
    ['read all events', get(`${CORE}/events`)],
    ['list the namespaces', get(`${CORE}/namespaces`)],
    ['read what a platform Pod uses', get(`/apis/metrics.k8s.io/v1beta1/namespaces/delos/pods/${parts.gateway}`)],
    ['list what platform Pods use', get('/apis/metrics.k8s.io/v1beta1/namespaces/delos/pods')],
    ['list what all Pods use', get('/apis/metrics.k8s.io/v1beta1/pods')],

    [
      'execute in PostgreSQL',
      socket(`${spaced('delos')}/pods/${parts.postgres}/exec?command=id&stdout=true&container=postgres`),
    ],
    [
      'execute in PostgreSQL by POST',
      { method: 'POST', path: `${spaced('delos')}/pods/${parts.postgres}/exec?command=id&stdout=true` },
    ],
    ['execute in the cluster’s DNS', socket(`${spaced('kube-system')}/pods/${dns}/exec?command=id&stdout=true`)],
    ['attach to the gateway', socket(`${spaced('delos')}/pods/${parts.gateway}/attach?stdout=true`)],
    ['forward a port of PostgreSQL', socket(`${spaced('delos')}/pods/${parts.postgres}/portforward?ports=5432`)],
    ['reach the kubelet through the API server', get(`${CORE}/nodes/${node}/proxy/pods`)],
    ['reach a Service through the API server', get(`${spaced('delos')}/services/control-api:internal/proxy/metrics`)],
    [
      'add a container to a running job',
      patch(`${home}/pods/${project.pod}/ephemeralcontainers`, {
        spec: { ephemeralContainers: [{ name: 'attack', image: 'ghcr.io/neuro-inc/base' }] },
      }),
    ],

    ['make a Pod in kube-system', post(`${spaced('kube-system')}/pods`, pod())],
    ['make a Pod in the platform', post(`${spaced('delos')}/pods`, pod())],
    ['make a Pod in default', post(`${spaced('default')}/pods`, pod())],
    ['delete a platform Pod', remove(`${spaced('delos')}/pods/${parts.postgres}`)],
    ['evict a platform Pod', post(`${spaced('delos')}/pods/${parts.gateway}/eviction`, eviction(parts.gateway))],
    ['delete the cluster’s DNS', remove(`${spaced('kube-system')}/pods/${dns}`)],
    [
      'change a platform Pod',
      patch(`${spaced('delos')}/pods/${parts.gateway}`, { spec: { activeDeadlineSeconds: 1 } }),
    ],
    [
      'open the platform’s network',
      post('/apis/networking.k8s.io/v1/namespaces/delos/networkpolicies', {
        ...{ apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { name: 'open' } },
        spec: { podSelector: {}, ingress: [{}] },
      }),
    ],
    [
      'delete a project’s default deny',
      remove(`/apis/networking.k8s.io/v1/namespaces/${project.namespace}/networkpolicies/default-deny`),
    ],
    ['make a Deployment', post(`/apis/apps/v1/namespaces/${project.namespace}/deployments`, {})],
    ['close a node', patch(`${CORE}/nodes/${node}`, { spec: { unschedulable: true } })],
    ['delete a node', remove(`${CORE}/nodes/${node}`)],

    [
      'make a namespace of a foreign name with a project’s labels',
      post(`${CORE}/namespaces`, namespace('mine', 'a', 'b')),
    ],
    [
      'make a namespace named for another project than its labels',
      post(`${CORE}/namespaces`, namespace(projectNamespace('victim', 'one'), 'attack', 'one')),
    ],
    ['make a project’s namespace without a project', post(`${CORE}/namespaces`, namespace(NEW, '', ''))],
    [
      'make a privileged namespace',
      post(`${CORE}/namespaces`, namespace(NEW, 'attack', 'one', { [ENFORCE]: 'privileged' })),
    ],
    [
      'make a namespace without Pod Security',
      post(`${CORE}/namespaces`, namespace(NEW, 'attack', 'one', { [ENFORCE]: undefined })),
    ],
    [
      'hold a namespace to an old Pod Security',
      post(`${CORE}/namespaces`, namespace(NEW, 'attack', 'one', { [`${ENFORCE}-version`]: 'v1.20' })),
    ],
    [
      'annotate a namespace',
      post(
        `${CORE}/namespaces`,
        namespace(NEW, 'attack', 'one', {}, { 'scheduler.alpha.kubernetes.io/node-selector': 'a=b' }),
      ),
    ],
    [
      'label kube-system as a project',
      patch(spaced('kube-system'), {
        metadata: { labels: { ...MANAGED, 'delos.dev/org': 'a', 'delos.dev/project': 'b', [ENFORCE]: 'baseline' } },
      }),
    ],
    [
      'lower the platform’s Pod Security',
      patch(spaced('delos'), { metadata: { labels: { [ENFORCE]: 'privileged' } } }),
    ],
    ['make a project’s namespace privileged', patch(home, { metadata: { labels: { [ENFORCE]: 'privileged' } } })],
    ['take Pod Security from a project’s namespace', patch(home, { metadata: { labels: { [ENFORCE]: null } } })],
    ['give a project’s namespace to another', patch(home, { metadata: { labels: { 'delos.dev/project': 'other' } } })],
    ['take its label from a project’s namespace', patch(home, { metadata: { labels: { 'delos.dev/project': null } } })],
    [
      'put a foreign label on a project’s namespace',
      patch(home, { metadata: { labels: { 'istio-injection': 'enabled' } } }),
    ],
    ['delete a project’s namespace', remove(home)],
    ...metadataAttacks({ project, parts, dns, node }),
    ...claimAttacks({ project, parts, dns, node }),
    ...secretAttacks({ project, parts, dns, node }),
    ...authorityAttacks({ project, parts, dns, node }),
    ...serviceAttacks({ project, parts, dns, node }),
    ['delete kube-system', remove(spaced('kube-system'))],

    ['bind itself in kube-system', post(bindings('kube-system'), binding(OWN_ROLE))],
    ['bind itself in the platform', post(bindings('delos'), binding(OWN_ROLE))],
    ['bind itself to cluster-admin in a project', post(bindings(project.namespace), binding('cluster-admin'))],
    ['bind itself to its cluster-wide role in a project', post(bindings(project.namespace), binding('delos-agent'))],
    ['bind somebody else in a project', post(bindings(project.namespace), binding(OWN_ROLE, { account: 'gateway' }))],
    ['bind itself under another name', post(bindings(project.namespace), binding(OWN_ROLE, { name: 'second' }))],
    [
      'bind itself to cluster-admin everywhere',
      post(`${RBAC}/clusterrolebindings`, binding('cluster-admin', { kind: 'ClusterRoleBinding', name: 'attack' })),
    ],
    [
      'bind itself to its role everywhere',
      post(`${RBAC}/clusterrolebindings`, binding(OWN_ROLE, { kind: 'ClusterRoleBinding', name: 'attack' })),
    ],
    [
      'widen its own role',
      patch(`${RBAC}/clusterroles/${OWN_ROLE}`, { rules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }] }),
    ],
    [
      'make a Role in a project',
      post(`${RBAC}/namespaces/${project.namespace}/roles`, { metadata: { name: 'attack' }, rules: [] }),
    ],
    [
      'be another user',
      { ...get(`${CORE}/namespaces`), headers: { 'impersonate-user': 'admin', 'impersonate-group': 'system:masters' } },
    ],
    [
      'take a token of kube-system',
      post(`${spaced('kube-system')}/serviceaccounts/namespace-controller/token`, { spec: { audiences: [] } }),
    ],
    [
      'take another token of the platform',
      post(`${spaced('delos')}/serviceaccounts/agent/token`, { spec: { audiences: [] } }),
    ],
    [
      'ask for a certificate',
      post('/apis/certificates.k8s.io/v1/certificatesigningrequests', { metadata: { name: 'attack' }, spec: {} }),
    ],
    ['delete its policy', remove(`${ADMISSION}/validatingadmissionpolicies/delos-agent`)],
    ['delete its policy’s binding', remove(`${ADMISSION}/validatingadmissionpolicybindings/delos-agent`)],
    [
      'put a webhook in front of the API server',
      post(`${ADMISSION}/mutatingwebhookconfigurations`, { metadata: { name: 'attack' } }),
    ],

    ['make a privileged Pod', post(`${home}/pods`, pod({}, { securityContext: { privileged: true } }))],
    ['mount the node’s disk', post(`${home}/pods`, pod({ volumes: [{ name: 'disk', hostPath: { path: '/' } }] }))],
    ['join the node’s network', post(`${home}/pods`, pod({ hostNetwork: true }))],
    ['see the node’s processes', post(`${home}/pods`, pod({ hostPID: true }))],
    [
      'put the platform’s Pods out by priority',
      post(`${home}/pods`, pod({ priorityClassName: 'system-node-critical' })),
    ],
    ['be as important as the platform', post(`${home}/pods`, pod({ priorityClassName: 'delos-platform' }))],
    ['have a token in a Pod', post(`${home}/pods`, pod({ automountServiceAccountToken: true }))],
  ];
}

function eviction(name: string): object {
  return { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace: 'delos' } };
}

/** What the agent is for: the same requests where it is at home. None may be refused. */
export function duties(targets: Targets): readonly Attempt[] {
  const { project } = targets;
  const home = spaced(project.namespace);
  return [
    ['see the nodes', get(`${CORE}/nodes`)],
    ['see what Pods ask of the nodes', get(`${CORE}/pods`)],
    ['make a project’s namespace', post(`${CORE}/namespaces`, namespace(NEW, 'attack', 'one'))],
    [
      'make one whose name is cut',
      post(
        `${CORE}/namespaces`,
        namespace(projectNamespace('o'.repeat(40), 'p'.repeat(40)), 'o'.repeat(40), 'p'.repeat(40)),
      ),
    ],
    [
      'make a privileged one where the project may',
      post(`${CORE}/namespaces`, namespace(TRUSTED, 'default', 'unused', { [ENFORCE]: 'privileged' })),
    ],
    ['set a project’s Pod Security', patch(home, { metadata: { labels: { [ENFORCE]: 'restricted' } } })],
    ['make a job’s Pod', post(`${home}/pods`, pod())],
    ['end a job', patch(`${home}/pods/${project.pod}`, { spec: { activeDeadlineSeconds: 1 } })],
    ['delete a job’s Pod', remove(`${home}/pods/${project.pod}`)],
    ['execute in a job', socket(`${home}/pods/${project.pod}/exec?command=true&stdout=true`)],
    ['forward a job’s port', socket(`${home}/pods/${project.pod}/portforward?ports=80`)],
    ['read the events of a project', get(`${home}/events`)],
    [
      'open a port of a job to the gateway',
      applied(`/apis/networking.k8s.io/v1/namespaces/${project.namespace}/networkpolicies/http-1`, policy('http-1')),
    ],
    [
      'change a project’s network policy',
      applied(`/apis/networking.k8s.io/v1/namespaces/${project.namespace}/networkpolicies/default-deny`, {
        ...policy('default-deny'),
        spec: { podSelector: {}, policyTypes: ['Ingress', 'Egress'] },
      }),
    ],
    ['apply a project’s namespace again', applied(home, namespaceAs(project.namespace, {}))],
    ...claimDuties(targets),
    ...secretDuties(targets),
    ...authorityDuties(targets),
    ...serviceDuties(targets),
  ];
}
