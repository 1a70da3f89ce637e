import {
  type Attempt,
  applied,
  binding,
  CORE,
  MANAGED,
  NEW,
  namespace,
  namespaceAs,
  OWN_ROLE,
  patch,
  pod,
  policy,
  post,
  put,
  RBAC,
  spaced,
  type Targets,
} from './agent-requests.ts';

/** An owner that never was: whatever it owns is collected as garbage. */
const GONE = { apiVersion: 'v1', kind: 'ConfigMap', name: 'gone', uid: '00000000-0000-4000-8000-000000000000' };

/** Metadata by which an object is deleted, kept from being deleted, or read otherwise by controllers. */
const METADATA: readonly (readonly [name: string, metadata: object])[] = [
  ['an owner that is gone', { ownerReferences: [GONE] }],
  ['an owner that holds it', { ownerReferences: [{ ...GONE, controller: true, blockOwnerDeletion: true }] }],
  ['a finalizer', { finalizers: ['attack.example/hold'] }],
];
const ANNOTATED: readonly (readonly [name: string, metadata: object])[] = [
  ...METADATA,
  ['an annotation', { annotations: { 'attack.example/note': 'x' } }],
];

/** Attempts that carry a part of an object's metadata, on everything that the agent makes or changes. */
export function metadataAttacks({ project }: Targets): readonly Attempt[] {
  const home = spaced(project.namespace);
  const policies = `/apis/networking.k8s.io/v1/namespaces/${project.namespace}/networkpolicies`;
  const bindings = `${RBAC}/namespaces/${project.namespace}/rolebindings`;
  const namespaced = (metadata: object): object => {
    const made = namespace(NEW, 'attack', 'one') as { readonly metadata: object };
    return { ...made, metadata: { ...made.metadata, ...metadata } };
  };
  return [
    ...ANNOTATED.flatMap(([name, metadata]): readonly Attempt[] => [
      [`make a namespace with ${name}`, post(`${CORE}/namespaces`, namespaced(metadata))],
      [`give a project’s namespace ${name}`, patch(home, { metadata })],
      [`give a project’s namespace ${name} by apply`, applied(home, namespaceAs(project.namespace, metadata))],
      [`make a network policy with ${name}`, applied(`${policies}/http-1`, policy('http-1', metadata))],
      [`give a project’s default deny ${name}`, patch(`${policies}/default-deny`, { metadata })],
      [`bind itself with ${name}`, post(bindings, binding(OWN_ROLE, { metadata }))],
      [`give a job’s Pod ${name}`, patch(`${home}/pods/${project.pod}`, { metadata })],
    ]),
    ...METADATA.map(
      ([name, metadata]): Attempt => [
        `make a Pod with ${name}`,
        post(`${home}/pods`, { ...pod(), metadata: { name: 'attack', ...metadata } }),
      ],
    ),
    ['make a namespace that cannot end', post(`${CORE}/namespaces`, { ...namespaced({}), ...HELD })],
    ['make a project’s namespace one that cannot end', { ...put(`${home}/finalize`, { ...namespaced({}), ...HELD }) }],
    ['make a Pod of a name that the API server chooses', post(`${home}/pods`, chosen(pod()))],
    ['make a network policy of a name that the API server chooses', post(policies, chosen(policy('x')))],
    ['name a job’s Pod as another job', patch(`${home}/pods/${project.pod}`, labelled({ 'delos.dev/job': 'other' }))],
    ['take a job’s Pod its labels', patch(`${home}/pods/${project.pod}`, { metadata: { labels: null } })],
    ['label a project’s default deny', patch(`${policies}/default-deny`, labelled({ other: 'x' }))],
    ['take a project’s default deny its labels', patch(`${policies}/default-deny`, { metadata: { labels: null } })],
    [
      'change the image of a job',
      {
        ...patch(`${home}/pods/${project.pod}`, { spec: { containers: [{ name: 'main', image: 'other:1' }] } }),
        type: 'application/strategic-merge-patch+json',
      },
    ],
    [
      'let a job’s Pod stay on a node that is closed',
      {
        ...patch(`${home}/pods/${project.pod}`, [
          { op: 'add', path: '/spec/tolerations/-', value: { operator: 'Exists' } },
        ]),
        type: 'application/json-patch+json',
      },
    ],
    ['say that a project’s namespace ends', patch(`${home}/status`, { status: { phase: 'Terminating' } })],
    ['say that a job has ended', patch(`${home}/pods/${project.pod}/status`, { status: { phase: 'Failed' } })],
  ];
}

const HELD = { spec: { finalizers: ['kubernetes', 'attack.example/hold'] } };
const labelled = (labels: object): object => ({ metadata: { labels } });
const chosen = (object: object): object => ({ ...object, metadata: { generateName: 'attack-', labels: MANAGED } });
