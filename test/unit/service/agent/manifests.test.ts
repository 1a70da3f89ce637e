import { jobDesire } from '@delos/core';
import { describe, expect, test } from 'vitest';
import { podManifest } from '../../../../runtime/service/src/agent/jobs/pod-manifest.ts';
import { pullSecret, pullSecretName } from '../../../../runtime/service/src/agent/jobs/pull-secret.ts';
import {
  levelFor,
  namesManifest,
  namespaceManifest,
  networkPolicies,
  PRIVATE_CIDRS,
} from '../../../../runtime/service/src/agent/namespaces/manifests.ts';

const job = (spec: Readonly<Record<string, unknown>> = {}) =>
  jobDesire.parse({
    kind: 'job',
    id: 'job-00000000-0000-4000-8000-000000000001',
    revision: 1,
    spec: {
      action: 'run',
      pod: {
        namespace: 'job-a',
        org: 'o',
        project: 'p',
        owner: 'ann',
        presetName: 'small',
        image: 'ubuntu',
        resources: { cpu: 0.1, memory: 1024 },
        pool: 'default',
        ...spec,
      },
    },
  });
// biome-ignore lint/suspicious/noExplicitAny: looks into a manifest
const podOf = (spec?: Readonly<Record<string, unknown>>, onlyPool?: string): any =>
  podManifest(job(spec), 'c', onlyPool);

describe('a job’s Pod', () => {
  test.each([
    ['baseline', { allowPrivilegeEscalation: false }, { seccompProfile: { type: 'RuntimeDefault' } }],
    [
      'restricted',
      { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
      { seccompProfile: { type: 'RuntimeDefault' }, runAsNonRoot: true },
    ],
    ['privileged', { privileged: true }, {}],
  ])('of the profile %s', (security, container, pod) => {
    const { spec } = podOf({ security });
    expect(spec.containers[0].securityContext).toEqual(container);
    expect(spec.securityContext).toEqual(pod);
  });

  test.each([
    ['never', 'Never'],
    ['on-failure', 'OnFailure'],
    ['always', 'Always'],
  ])('restarts %s as Kubernetes says %s', (restartPolicy, kube) => {
    expect(podOf({ restartPolicy }).spec.restartPolicy).toBe(kube);
  });

  test('calls itself by its name, or by its id, in its project; not where cluster DNS has no such names', () => {
    expect(podOf({ name: 'web' }).spec).toMatchObject({ hostname: 'web', subdomain: 'p' });
    expect(podOf().spec).toMatchObject({ hostname: job().id, subdomain: 'p' });
    expect(namesManifest({ namespace: 'job-a', project: 'p' })).toMatchObject({
      metadata: { name: 'p', namespace: 'job-a' },
      spec: { clusterIP: 'None', selector: { 'delos.dev/project': 'p' } },
    });
    expect(podOf({ project: '4p' }).spec).not.toHaveProperty('hostname');
    expect(namesManifest({ namespace: 'job-a', project: '4p' })).toBeUndefined();
  });

  test('names what its node pulls the image by, and holds nothing of it', () => {
    const pull = { registry: '127.0.0.1:8080', org: 'o', project: 'p', password: 'a-credential' };
    const desire = job();
    const pod = podManifest({ ...desire, spec: { ...desire.spec, pull } }, 'c', undefined);
    expect(pod).toMatchObject({ spec: { imagePullSecrets: [{ name: pullSecretName(pull) }] } });
    expect(JSON.stringify(pod)).not.toContain(pull.password);
    const secret = pullSecret('job-a', pull) as { readonly data: Readonly<Record<string, string>> };
    const text = Buffer.from(secret.data['.dockerconfigjson'] ?? '', 'base64').toString();
    const auth = Buffer.from('token:a-credential').toString('base64');
    expect(JSON.parse(text)).toEqual({ auths: { '127.0.0.1:8080': { auth } } });
    expect(pullSecretName({ ...pull, project: 'q' })).not.toBe(pullSecretName(pull));
    expect(podOf().spec).not.toHaveProperty('imagePullSecrets');
  });

  test('is told no secrets of the cluster', () => {
    expect(podOf().spec).toMatchObject({ automountServiceAccountToken: false, enableServiceLinks: false });
  });

  test('has its memory as /dev/shm and as its limit', () => {
    const { spec } = podOf();
    expect(spec.volumes).toEqual([{ name: 'shm', emptyDir: { medium: 'Memory', sizeLimit: '1024' } }]);
    expect(spec.containers[0].resources.limits).toMatchObject({ memory: '1024' });
    expect(podOf({ resources: { cpu: 1, memory: 1, shm: false } }).spec.volumes).toBeUndefined();
  });

  test.each([
    ['of its preset', { disk: 2 ** 30 }, { requests: `${2 ** 26}`, limits: `${2 ** 30}` }],
    ['no larger than its limit', { disk: 2 ** 26 - 1 }, { requests: `${2 ** 26 - 1}`, limits: `${2 ** 26 - 1}` }],
    ['of 10 GiB, submitted before presets had any', {}, { requests: `${2 ** 26}`, limits: `${10 * 2 ** 30}` }],
  ])('has a limit to its local disk: %s', (_name, disk, expected) => {
    const { requests, limits } = podOf({ resources: { cpu: 1, memory: 1, ...disk } }).spec.containers[0].resources;
    expect(requests['ephemeral-storage']).toBe(expected.requests);
    expect(limits['ephemeral-storage']).toBe(expected.limits);
  });

  test('asks for its devices, and is let onto nodes kept for them', () => {
    const { spec } = podOf({ resources: { cpu: 1, memory: 1, extended: { 'nvidia.com/gpu': 2 } } });
    expect(spec.containers[0].resources.limits).toMatchObject({ 'nvidia.com/gpu': '2' });
    expect(spec.tolerations).toEqual([{ key: 'nvidia.com/gpu', operator: 'Exists' }]);
  });

  test('goes to nodes of its pool; of the only pool those without a label are nodes too', () => {
    expect(podOf().spec.nodeSelector).toEqual({ 'delos.dev/pool': 'default' });
    const { nodeSelector, affinity } = podOf({}, 'default').spec;
    expect(nodeSelector).toBeUndefined();
    expect(affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms).toEqual([
      { matchExpressions: [{ key: 'delos.dev/pool', operator: 'In', values: ['default'] }] },
      { matchExpressions: [{ key: 'delos.dev/pool', operator: 'DoesNotExist' }] },
    ]);
  });

  test.each([undefined, 'default'])(
    'prefers the node that was planned for it, and any of its pool will do',
    (onlyPool) => {
      const { nodeAffinity } = podOf({ node: 'n1' }, onlyPool).spec.affinity;
      expect(nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution).toEqual([
        { weight: 100, preference: { matchFields: [{ key: 'metadata.name', operator: 'In', values: ['n1'] }] } },
      ]);
      const { preferredDuringSchedulingIgnoredDuringExecution: _, ...rest } = nodeAffinity;
      expect(rest).toEqual(podOf({}, onlyPool).spec.affinity?.nodeAffinity ?? {});
      expect(podOf({ node: 'n1' }, onlyPool).spec.nodeSelector).toEqual(podOf({}, onlyPool).spec.nodeSelector);
    },
  );

  test('gets the user’s words as they are: Kubernetes would expand $(NAME) and $$', () => {
    const { spec } = podOf({ command: ['echo', '$(A) $$ $x'], env: { A: '$(B)' } });
    expect(spec.containers[0].args).toEqual(['echo', '$$(A) $$$$ $$x']);
    expect(spec.containers[0].env).toContainEqual({ name: 'A', value: '$$(B)' });
  });

  test('keeps the image’s entrypoint where none is given', () => {
    expect(podOf().spec.containers[0].command).toBeUndefined();
    expect(podOf({ entrypoint: ['sh'] }).spec.containers[0].command).toEqual(['sh']);
  });
});

describe('a project’s namespace', () => {
  test.each([
    ['baseline', 'baseline'],
    ['restricted', 'baseline'],
    ['privileged', 'privileged'],
  ] as const)('lets a job of profile %s in at level %s', (security, level) => {
    expect(levelFor(security)).toBe(level);
    expect(namespaceManifest(job().spec.pod, levelFor(security))).toMatchObject({
      metadata: { labels: { 'pod-security.kubernetes.io/enforce': level } },
    });
  });

  test('is closed, but for DNS, the gateway, the world outside and jobs of the project', () => {
    const [deny, open, within] = networkPolicies('job-a', {
      platformNamespace: 'delos',
      deniedCidrs: PRIVATE_CIDRS,
      dnsAddresses: ['169.254.20.10'],
    });
    expect(deny).toMatchObject({ spec: { podSelector: {}, policyTypes: ['Ingress', 'Egress'] } });
    expect(deny).not.toHaveProperty('spec.egress');
    expect(open).toMatchObject({
      spec: {
        egress: [
          {
            to: [
              { podSelector: { matchLabels: { 'k8s-app': 'kube-dns' } } },
              { ipBlock: { cidr: '169.254.20.10/32' } },
            ],
            ports: [
              { protocol: 'UDP', port: 53 },
              { protocol: 'TCP', port: 53 },
            ],
          },
          { to: [{ podSelector: { matchLabels: { 'app.kubernetes.io/name': 'gateway' } } }] },
          { to: [{ ipBlock: { cidr: '0.0.0.0/0', except: PRIVATE_CIDRS } }] },
        ],
      },
    });
    // Without a selector of namespaces: those of its own.
    expect(within).toMatchObject({
      spec: {
        podSelector: {},
        ingress: [{ from: [{ podSelector: {} }] }],
        egress: [{ to: [{ podSelector: {} }] }],
      },
    });
    // A block of IPv6 would open the IPv6 addresses of nodes.
    expect(JSON.stringify(open)).not.toMatch(/"cidr":"[^"]*:/);
    expect(open).not.toHaveProperty('spec.ingress');
  });
});
