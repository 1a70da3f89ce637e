import { type Attempt, applied, get, MANAGED, patch, post, remove, spaced, type Targets } from './agent-requests.ts';

const NAME = 'delos-authorities';

const authorities = (changes: object = {}, metadata: object = {}): object => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: NAME, labels: MANAGED, ...metadata },
  data: { 'ca.pem': 'PEM' },
  ...changes,
});

/** Attempts on ConfigMaps: to read any, and to make one that somebody trusts or runs. */
export function authorityAttacks({ project }: Targets): readonly Attempt[] {
  const home = `${spaced(project.namespace)}/configmaps`;
  return [
    ['read the authorities of a project', get(`${home}/${NAME}`)],
    ['delete the authorities of a project', remove(`${home}/${NAME}`)],
    [
      'change the authorities that Pods of a project have of Kubernetes',
      patch(`${home}/kube-root-ca.crt`, { data: { 'ca.crt': 'x' } }),
    ],
    ['change the authorities of the platform', patch(`${spaced('delos')}/configmaps/${NAME}`, authorities())],
    ['change the configuration of the platform', patch(`${spaced('delos')}/configmaps/platform`, { data: {} })],
    ['make a ConfigMap of another name', post(home, authorities({}, { name: 'another' }))],
    ['make authorities with another key', post(home, authorities({ data: { 'ca.pem': 'PEM', more: 'x' } }))],
    ['close the authorities for ever', applied(`${home}/${NAME}`, authorities({ immutable: true }))],
    ['label authorities as another’s', post(home, authorities({}, { labels: { ...MANAGED, owner: 'helm' } }))],
  ];
}

/** What the agent does with ConfigMaps. */
export function authorityDuties({ project }: Targets): readonly Attempt[] {
  const home = `${spaced(project.namespace)}/configmaps`;
  return [
    ['write whom jobs trust', applied(`${home}/${NAME}`, authorities())],
    ['write it again', applied(`${home}/${NAME}`, authorities({ data: { 'ca.pem': 'another' } }))],
  ];
}
