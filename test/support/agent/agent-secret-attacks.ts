import {
  type Attempt,
  applied,
  get,
  MANAGED,
  patch,
  post,
  put,
  remove,
  spaced,
  type Targets,
} from './agent-requests.ts';

const NAME = `delos-image-pull-${'0'.repeat(16)}`;
const DATA = { '.dockerconfigjson': Buffer.from('{"auths":{}}').toString('base64') };

/** A Secret to pull images by. */
const secret = (changes: object = {}, metadata: object = {}): object => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: NAME, labels: MANAGED, ...metadata },
  type: 'kubernetes.io/dockerconfigjson',
  data: DATA,
  ...changes,
});

const JOB = `job-${'0'.repeat(8)}-0000-4000-8000-${'0'.repeat(12)}`;
const OWNER = { apiVersion: 'v1', kind: 'Pod', name: JOB, uid: '0b0e0000-0000-4000-8000-000000000000' };

/** What a job has of a secret. */
const jobSecret = (index: number, changes: object = {}, metadata: object = {}): object => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: `${JOB}-r0-${index}`, labels: MANAGED, ownerReferences: [OWNER], ...metadata },
  type: 'Opaque',
  immutable: true,
  data: { value: 'MA==' },
  ...changes,
});

/** Attempts on Secrets: to read any, and to make one that opens something. */
export function secretAttacks({ project }: Targets): readonly Attempt[] {
  const home = `${spaced(project.namespace)}/secrets`;
  const account = { 'kubernetes.io/service-account.name': 'default' };
  return [
    ['read a Secret to pull images by', get(`${home}/${NAME}`)],
    ['delete a Secret to pull images by', remove(`${home}/${NAME}`)],
    ['replace a Secret', put(`${home}/${NAME}`, secret())],
    ['read a Secret of the platform by changing nothing', patch(`${spaced('delos')}/secrets/agent-token`, {})],
    ['make a Secret to pull images by in the platform', applied(`${spaced('delos')}/secrets/${NAME}`, secret())],
    ['make a Secret of another name', applied(`${home}/another`, secret({}, { name: 'another' }))],
    [
      'make a Secret that is a token',
      post(home, secret({ type: 'kubernetes.io/service-account-token', data: {} }, { annotations: account })),
    ],
    ['make a Secret of another type', post(home, secret({ type: 'Opaque' }))],
    ['make a Secret with another key', post(home, secret({ data: { ...DATA, token: 'MA==' } }))],
    ['annotate a Secret', applied(`${home}/${NAME}`, secret({}, { annotations: { a: 'b' } }))],
    ['label a Secret as another’s', post(home, secret({}, { labels: { ...MANAGED, owner: 'helm' } }))],
    ['make a job’s Secret that nobody owns', post(home, jobSecret(1, {}, { ownerReferences: [] }))],
    [
      'make one that another job’s Pod owns',
      post(home, jobSecret(1, {}, { ownerReferences: [{ ...OWNER, name: 'x' }] })),
    ],
    ['make one that a Secret owns', post(home, jobSecret(1, {}, { ownerReferences: [{ ...OWNER, kind: 'Secret' }] }))],
    [
      'make one that keeps its owner',
      post(home, jobSecret(1, {}, { ownerReferences: [{ ...OWNER, blockOwnerDeletion: true }] })),
    ],
    ['make a job’s Secret with another key', post(home, jobSecret(1, { data: { value: 'MA==', token: 'MA==' } }))],
    ['make a job’s Secret that can change', post(home, jobSecret(1, { immutable: false }))],
    [
      'make a job’s Secret that is a token',
      post(home, jobSecret(1, { type: 'kubernetes.io/service-account-token' }, { annotations: account })),
    ],
    ['make a job’s Secret in the platform', post(`${spaced('delos')}/secrets`, jobSecret(1))],
    ['make a job’s Secret to pull by that is something else', post(home, jobSecret(1, {}, { name: `${JOB}-r0-pull` }))],
    ['read a job’s Secret', get(`${home}/${JOB}-r0-0`)],
    ['delete a job’s Secret', remove(`${home}/${JOB}-r0-0`)],
    ['close a Secret for ever', applied(`${home}/${NAME}`, secret({ immutable: true }))],
  ];
}

/** What the agent does with Secrets. */
export function secretDuties({ project }: Targets): readonly Attempt[] {
  const home = `${spaced(project.namespace)}/secrets`;
  const other = { '.dockerconfigjson': Buffer.from('{"auths":{"a":{}}}').toString('base64') };
  return [
    ['write what images are pulled by', applied(`${home}/${NAME}`, secret())],
    ['make what a job has of a secret', post(home, jobSecret(Math.floor(Math.random() * 1e9)))],
    [
      'make what a job’s image is pulled by',
      post(
        home,
        jobSecret(
          0,
          { type: 'kubernetes.io/dockerconfigjson', data: DATA },
          { name: `${JOB}-r${Math.floor(Math.random() * 1e9)}-pull` },
        ),
      ),
    ],
    ['write it again', applied(`${home}/${NAME}`, secret({ data: other }))],
  ];
}
