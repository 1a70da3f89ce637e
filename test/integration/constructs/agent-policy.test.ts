import { randomBytes } from 'node:crypto';
import { resolveTool } from '@delos/cluster';
import { engineContext, loadConfig, synthesize } from '@delos/constructs';
import { FILE_STORAGE_VOLUME, projectNamespace, silent } from '@delos/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { filesName, filesVolume } from '../../../runtime/service/src/agent/files/project-files.ts';
import {
  agentBinding,
  namespaceManifest,
  networkPolicies,
} from '../../../runtime/service/src/agent/namespaces/manifests.ts';
import { attacks, duties } from '../../support/agent/agent-attacks.ts';
import { volume } from '../../support/agent/agent-claim-attacks.ts';
import { MANAGED, type Targets } from '../../support/agent/agent-requests.ts';
import { TEST_CONFIG } from '../../support/instance.ts';
import { askServer, type KubeAnswer, type KubeRequest } from '../../support/service/agent-token.ts';
import { type ControlPlane, startControlPlane } from '../../support/service/control-plane.ts';
import { until } from '../../support/until.ts';

/*
 * The agent's rights and their limits, at a real API server without a node. The same attempts are made in
 * test/e2e/06-isolation.test.ts with the token of an agent that runs; there is also what needs a node.
 */

const AGENT = 'system:serviceaccount:delos:agent';
const GROUPS = ['system:serviceaccounts', 'system:serviceaccounts:delos', 'system:authenticated'];
const PROJECT = projectNamespace('default', 'default');
const TARGETS: Targets = {
  project: { namespace: PROJECT, pod: 'job-1' },
  parts: { postgres: 'postgres-0', gateway: 'gateway-0' },
  dns: 'coredns-0',
  node: 'node-1',
};
const KINDS = [
  'PriorityClass',
  'ClusterRole',
  'ClusterRoleBinding',
  'ValidatingAdmissionPolicy',
  'ValidatingAdmissionPolicyBinding',
];
const PATHS: Readonly<Record<string, string>> = {
  PriorityClass: '/apis/scheduling.k8s.io/v1/priorityclasses',
  ClusterRole: '/apis/rbac.authorization.k8s.io/v1/clusterroles',
  ClusterRoleBinding: '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings',
  ValidatingAdmissionPolicy: '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies',
  ValidatingAdmissionPolicyBinding: '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings',
};

let plane: ControlPlane;
let ask: (request: KubeRequest) => Promise<KubeAnswer>;

const pod = (namespace: string, name: string): object => ({
  ...{ apiVersion: 'v1', kind: 'Pod' },
  metadata: { name, namespace, labels: { 'delos.dev/job': name } },
  spec: {
    automountServiceAccountToken: false,
    priorityClassName: 'delos-job-normal',
    containers: [{ name: 'main', image: 'nowhere.example/none:1' }],
  },
});

beforeAll(async () => {
  const token = randomBytes(16).toString('hex');
  plane = await startControlPlane((await resolveTool('kube', silent)).path, {
    users: [{ token, user: AGENT, groups: GROUPS }],
    serviceAccounts: true,
  });
  const { client } = plane;
  const create = (path: string, body: unknown) => client.api.request('POST', path, { body });
  const config = await loadConfig(TEST_CONFIG);
  const { objects } = synthesize(config, engineContext(config, 'embedded'));
  for (const { manifest } of objects.filter((object) => KINDS.includes(object.manifest.kind))) {
    await create(PATHS[manifest.kind] ?? '', manifest);
  }
  await create('/api/v1/namespaces', { metadata: { name: 'delos' } });
  const spec = { namespace: PROJECT, org: 'default', project: 'default' };
  await create('/api/v1/namespaces', namespaceManifest(spec, 'baseline'));
  await create(`/apis/rbac.authorization.k8s.io/v1/namespaces/${PROJECT}/rolebindings`, agentBinding(PROJECT, 'delos'));
  for (const policy of networkPolicies(PROJECT, { platformNamespace: 'delos', deniedCidrs: [], dnsAddresses: [] })) {
    await create(`/apis/networking.k8s.io/v1/namespaces/${PROJECT}/networkpolicies`, policy);
  }
  await create('/api/v1/persistentvolumes', volume('/srv/delos-files', FILE_STORAGE_VOLUME));
  await create('/api/v1/nodes', { metadata: { name: TARGETS.node } });
  const pods = [
    ['delos', TARGETS.parts.postgres],
    ['delos', TARGETS.parts.gateway],
    ['kube-system', TARGETS.dns],
    [PROJECT, TARGETS.project.pod],
  ] as const;
  for (const [namespace, name] of pods) {
    // Made by a controller.
    const account = `/api/v1/namespaces/${namespace}/serviceaccounts/default`;
    await until(`${namespace} has an account`, 60, () => client.api.request('GET', account).catch(() => undefined));
    await create(`/api/v1/namespaces/${namespace}/pods`, pod(namespace, name));
  }
  const { hostname: ip, port } = new URL(plane.server);
  const ca = await plane.ca();
  ask = (request) => askServer({ ip, port: Number(port) }, { token, ca }, request);
  // The API server compiles a new policy a moment after it was made; until then nothing is refused.
  await until('the policy is enforced', 60, async () => {
    const [, request] = attacks(TARGETS).find(([name]) => name === 'make a privileged namespace') ?? [];
    return request !== undefined && (await ask(request)).status === 403 ? true : undefined;
  });
});
afterAll(() => plane?.stop());

describe('volumes of projects’ files', () => {
  const FILES = { kind: 'directory', path: '/srv/delos-files' } as const;
  const name = filesName(PROJECT, { org: 'default', project: 'default' });
  const [made, claim] = filesVolume(PROJECT, { org: 'default', project: 'default' }, FILES);
  const volumes = '/api/v1/persistentvolumes';
  const claims = `/api/v1/namespaces/${PROJECT}/persistentvolumeclaims`;
  const refused = { status: 403, message: expect.stringContaining('projects’ folders of the file storage') };

  test('are made, claimed and taken away', async () => {
    expect((await ask({ method: 'POST', path: volumes, body: made })).status).toBe(201);
    expect((await ask({ method: 'POST', path: claims, body: claim })).status).toBe(201);
    const other = filesName(PROJECT, { org: 'default', project: 'other' });
    // What is asked here is a dry run.
    await plane.client.api.request('POST', volumes, { body: { ...made, metadata: { name: other } } });
    expect((await ask({ method: 'DELETE', path: `${volumes}/${other}` })).status).toBe(200);
  });

  test.each([
    ['all files', volume(FILES.path, name)],
    ['an organization', volume(`${FILES.path}/default`, name)],
    ['a folder in a project', volume(`${FILES.path}/default/default/below`, name)],
    ['uploads of others', volume(`${FILES.path}/.delos/uploads`, name)],
    ['a folder beside', volume(`${FILES.path}-other/default/default`, name)],
    ['another name', volume(`${FILES.path}/default/default`, 'delos-files-x')],
    [
      'a claim of the platform',
      volume(`${FILES.path}/default/default`, name, { claimRef: { namespace: 'delos', name } }),
    ],
    [
      'another claim',
      volume(`${FILES.path}/default/default`, name, { claimRef: { namespace: PROJECT, name: 'other' } }),
    ],
    ['what is deleted with its claim', volume(`${FILES.path}/a/b`, name, { persistentVolumeReclaimPolicy: 'Delete' })],
    ['an NFS server', volume('', name, { hostPath: undefined, nfs: { server: 'nfs.example.com', path: '/a/b' } })],
    ['a file system of a device', volume(`${FILES.path}/a/b`, name, { mountOptions: ['dev'] })],
  ])('cannot be of %s', async (_, body) => {
    expect(await ask({ method: 'POST', path: volumes, body })).toEqual(refused);
  });

  test('are claimed by their own claim alone', async () => {
    const other = { ...claim, metadata: { name: 'delos-files-0000000000000000', labels: MANAGED } };
    expect((await ask({ method: 'POST', path: claims, body: other })).status).toBe(403);
  });
});

describe('the agent', () => {
  test.each(attacks(TARGETS))('cannot %s', async (_name, request) => {
    expect(await ask(request)).toEqual({
      status: 403,
      message: expect.stringMatching(
        /is forbidden: (User "system:serviceaccount:delos:agent" cannot |user "system:serviceaccount:delos:agent" \(.*\) is attempting to grant RBAC permissions|ValidatingAdmissionPolicy 'delos-agent' |violates PodSecurity )/,
      ),
    });
  });

  test('cannot read a Secret of a project by changing nothing of it', async () => {
    const path = `/api/v1/namespaces/${PROJECT}/secrets`;
    const data = { '.dockerconfigjson': Buffer.from('{"auths":{}}').toString('base64') };
    const body = {
      metadata: { name: 'of-somebody-else', labels: MANAGED },
      type: 'kubernetes.io/dockerconfigjson',
      data,
    };
    await plane.client.api.request('POST', path, { body });
    const { status, message } = await ask({ method: 'PATCH', path: `${path}/of-somebody-else`, body: {} });
    expect([status, message]).toEqual([403, expect.stringContaining('the agent makes Secrets to pull images by')]);
  });

  // A stream needs a kubelet.
  const possible = duties(TARGETS).filter(([, { headers }]) => headers === undefined);
  test.each(possible)('can %s', async (_name, request) => {
    const { status, message } = await ask(request);
    expect(message).toBe('');
    expect([200, 201]).toContain(status);
  });

  test.each([
    ['end a project’s namespace by its time of deletion', `/api/v1/namespaces/${PROJECT}`],
    ['end a job by its time of deletion', `/api/v1/namespaces/${PROJECT}/pods/${TARGETS.project.pod}`],
  ])('cannot %s, which the API server itself keeps', async (_name, path) => {
    const body = { metadata: { deletionTimestamp: '2026-01-01T00:00:00Z', deletionGracePeriodSeconds: 0 } };
    const { status } = await ask({ method: 'PATCH', path, body });
    const { metadata } = (await plane.client.api.request('GET', path)) as { readonly metadata: object };
    expect(status === 403 || status === 422).toBe(true);
    expect(metadata).not.toHaveProperty('deletionTimestamp');
  });
});
