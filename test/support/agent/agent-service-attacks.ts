import { type Attempt, applied, get, MANAGED, patch, post, remove, spaced, type Targets } from './agent-requests.ts';

const PROJECT = 'default';
const SPEC = { type: 'ClusterIP', clusterIP: 'None', selector: { ...MANAGED, 'delos.dev/project': PROJECT } };

const service = (spec: object = {}, metadata: object = {}): object => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: PROJECT, labels: MANAGED, ...metadata },
  spec: { ...SPEC, publishNotReadyAddresses: true, ...spec },
});

/** Attempts on Services: to stand where another part is looked for, and to open a way in. */
export function serviceAttacks({ project }: Targets): readonly Attempt[] {
  const home = `${spaced(project.namespace)}/services`;
  return [
    ['read the Services of a project', get(home)],
    ['delete the names of jobs', remove(`${home}/${PROJECT}`)],
    ['make a Service of the platform', post(`${spaced('delos')}/services`, service())],
    ['lead the platform’s gateway elsewhere', patch(`${spaced('delos')}/services/gateway`, { spec: { selector: {} } })],
    ['make a Service of another name', post(home, service({}, { name: 'another' }))],
    ['give the names of jobs an address', post(home, service({ clusterIP: '', ports: [{ port: 80 }] }))],
    ['open a port of the nodes', post(home, service({ type: 'NodePort', clusterIP: '', ports: [{ port: 80 }] }))],
    ['have a load balancer made', post(home, service({ type: 'LoadBalancer', clusterIP: '', ports: [{ port: 80 }] }))],
    [
      'lead a name out of the cluster',
      post(home, service({ type: 'ExternalName', clusterIP: undefined, externalName: 'evil.example' })),
    ],
    ['take an address of somebody else', post(home, service({ externalIPs: ['10.0.0.1'] }))],
    ['name other Pods than those of the project', post(home, service({ selector: MANAGED }))],
    ['label the names of jobs as another’s', post(home, service({}, { labels: { ...MANAGED, owner: 'helm' } }))],
  ];
}

/** What the agent does with Services. */
export function serviceDuties({ project }: Targets): readonly Attempt[] {
  const home = `${spaced(project.namespace)}/services`;
  return [
    ['give the jobs of a project names', applied(`${home}/${PROJECT}`, service())],
    ['give them again', applied(`${home}/${PROJECT}`, service())],
  ];
}
