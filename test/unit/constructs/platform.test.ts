import {
  engineContext,
  type Manifest,
  parseConfig,
  SERVICES,
  type SynthesisContext,
  synthesize,
} from '@delos/constructs';
import { DelosError, FORMER_POSTGRES_USER, projectNamespace, yamlText } from '@delos/core';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { egressOf, isDns, isJobs, policiesFor, policiesOf, workloadsOfPeer } from './network-peers.ts';
import { restrictedFaults } from './pod-security.ts';
import { EVERY_SERVICE, kindOf, platformOf, selects, type Workload, workloadsOf } from './synthesized.ts';

const platform = platformOf(EVERY_SERVICE);
const workloads = workloadsOf(platform);
const names = workloads.map(({ name }) => name).sort();

const securityOf = (pod: Workload['pod']): Readonly<Record<string, unknown>> =>
  z.looseObject({}).parse(pod.securityContext);

const rulesSchema = z.array(
  z.object({
    resources: z.array(z.string()),
    resourceNames: z.array(z.string()).optional(),
    verbs: z.array(z.string()),
  }),
);

/** A role's rights as lines: `RESOURCE [NAMES]: VERBS`. */
function rights(manifest: Manifest): readonly string[] {
  return rulesSchema
    .parse(manifest.rules)
    .flatMap(({ resources, resourceNames = [], verbs }) =>
      resources.map((resource) => `${[resource, ...resourceNames].join(' ')}: ${verbs.join(' ')}`),
    )
    .sort();
}

test('the default platform is as it was looked at last (-u writes it anew)', async () => {
  const documents = platformOf().objects.map(({ id, manifest, dependsOn, secrets }) => {
    const facts = [`# ${id}`, ...dependsOn.map((other) => `#   after ${other}`)];
    const made = Object.entries(secrets).map(([key, source]) => `#   ${key}: ${JSON.stringify(source)}`);
    return `${[...facts, ...made].join('\n')}\n${yamlText(manifest)}`;
  });
  await expect(documents.join('---\n')).toMatchFileSnapshot('golden/default.yaml');
});

test('the services of the list run, and nothing else', () => {
  expect(names).toEqual(SERVICES.map(({ name }) => name).sort());
});

test('every part that asks for names may ask where a DNS cache on its node answers', () => {
  const config = parseConfig('', 'delos.yaml');
  const context = { ...engineContext(config, 'existing'), dnsAddresses: ['169.254.20.10', '10.96.0.10'] };
  const policies = policiesOf(synthesize(config, context));
  const asking = policies.flatMap(({ spec }) => spec.egress).filter(({ to }) => to?.some(isDns));
  expect(asking.length).toBeGreaterThan(3);
  for (const { to, ports } of asking) {
    expect(to?.map(({ ipBlock }) => ipBlock?.cidr)).toEqual([undefined, '169.254.20.10/32', '10.96.0.10/32']);
    expect(ports.map(({ port }) => port)).toEqual([53, 53]);
  }
});

test('each object is of the part that it belongs to: a service of the list, or the platform itself', () => {
  const parts = Map.groupBy(platform.objects, ({ part }) => part);
  expect([...parts.keys()].sort()).toEqual(['platform', ...SERVICES.map(({ name }) => name)].sort());
  expect([...new Set(parts.get('platform')?.map(({ manifest }) => manifest.kind))].sort()).toEqual([
    'ConfigMap',
    'Namespace',
    'NetworkPolicy',
    'PersistentVolume',
    'PersistentVolumeClaim',
    'PriorityClass',
  ]);
  for (const { name, part } of workloads.map(({ name }) => ({ name, part: parts.get(name) ?? [] }))) {
    const kinds = ['Deployment', 'StatefulSet', 'DaemonSet'];
    const own = part
      .filter(({ manifest }) => kinds.includes(manifest.kind))
      .map(({ manifest }) => manifest.metadata.name);
    expect(own).toEqual([name]);
  }
});

describe('Pod Security', () => {
  test.each(workloads.filter(({ namespace }) => namespace === 'delos'))('$name is `restricted`', ({ pod }) => {
    expect(restrictedFaults(pod)).toEqual([]);
  });

  test('few are not: what reads logs or layers of containers from the node’s disk, and what tells of GPUs of AMD and Intel', () => {
    const other = workloads.filter(({ namespace }) => namespace !== 'delos');
    const everything = (name: string) =>
      ['privileged', 'allowPrivilegeEscalation', 'capabilities are not dropped', 'runAsNonRoot', 'runAsUser 0'].map(
        (right) => `${name}: ${right}`,
      );
    expect(Object.fromEntries(other.map(({ name, pod }) => [name, restrictedFaults(pod)]))).toEqual({
      collector: ['volume var-log-pods: hostPath'],
      'image-saver': [
        ...['volume content: hostPath', 'volume snapshots: hostPath', 'volume tasks: hostPath'],
        ...['capabilities are added', 'runAsNonRoot', 'runAsUser 0'].map((right) => `image-saver: ${right}`),
      ],
      'amd-gpu-exporter': ['volume dev-dri: hostPath', 'volume dev-kfd: hostPath', ...everything('amd-gpu-exporter')],
      'intel-gpu-exporter': ['volume dev-dri: hostPath', ...everything('intel-gpu-exporter')],
    });
  });

  test('the rules themselves find what upstream’s table forbids', () => {
    const bad = {
      hostNetwork: true,
      volumes: [{ name: 'v', hostPath: { path: '/' } }],
      containers: [
        {
          name: 'c',
          ports: [{ containerPort: 1, hostPort: 1 }],
          securityContext: { privileged: true, capabilities: { add: ['SYS_ADMIN'] }, procMount: 'Unmasked' },
        },
      ],
    };
    expect(restrictedFaults(bad)).toEqual([
      'hostNetwork',
      'volume v: hostPath',
      'c: privileged',
      'c: allowPrivilegeEscalation',
      'c: capabilities are not dropped',
      'c: capabilities are added',
      'c: runAsNonRoot',
      'c: seccompProfile',
      'c: procMount',
      'c: hostPort',
    ]);
  });

  test('every root file system is read-only', () => {
    for (const { pod } of workloads) {
      for (const container of [...pod.initContainers, ...pod.containers]) {
        expect(container.securityContext.readOnlyRootFilesystem).toBe(true);
      }
    }
  });
});

describe('users', () => {
  const usersOf = (pod: Workload['pod']): readonly number[] => {
    const { runAsUser } = securityOf(pod);
    return [...pod.initContainers, ...pod.containers].map(({ securityContext }) =>
      Number(securityContext.runAsUser ?? runAsUser),
    );
  };

  test.each(workloads)('$name runs as its own, and its volumes are of its own group', ({ name, pod }) => {
    const user = SERVICES.find((service) => service.name === name)?.user;
    expect(securityOf(pod)).toMatchObject({ runAsUser: user, runAsGroup: user, fsGroup: user });
    const handedOver = name === 'postgres' ? [FORMER_POSTGRES_USER] : [];
    // Devices are root's, and these open them; and a container has a capability as root alone, until it becomes its own user.
    const own = /^(amd|intel)-gpu-exporter$|^image-saver$/.test(name) ? 0 : user;
    expect([...new Set(usersOf(pod))]).toEqual([...handedOver, own]);
  });

  test('the step that runs as PostgreSQL’s former user sees no password', () => {
    const postgres = workloads.find(({ name }) => name === 'postgres')?.pod;
    const step = postgres?.initContainers.find(({ securityContext }) => securityContext.runAsUser !== undefined);
    expect(step?.name).toBe('hand-over');
    const secrets = (postgres?.volumes ?? []).filter(({ secret }) => secret !== undefined).map(({ name }) => name);
    expect(secrets.length).toBeGreaterThan(0);
    for (const { name } of step?.volumeMounts ?? []) expect(secrets).not.toContain(name);
  });

  test('where nodes have user namespaces, all have one but what reads the node’s disk or lies on a volume', () => {
    const inOwn = (userNamespaces: boolean | undefined): readonly string[] => {
      const config = parseConfig(EVERY_SERVICE, 'delos.yaml');
      const synthesis = synthesize(config, { ...engineContext(config, 'existing'), userNamespaces });
      return workloadsOf(synthesis)
        .filter(({ pod }) => pod.hostUsers === false)
        .map(({ name }) => name)
        .sort();
    };
    const onDisk = (text: string): boolean => /"(hostPath|persistentVolumeClaim|volumeClaimTemplates)"/.test(text);
    const free = workloads.filter(({ object }) => !onDisk(JSON.stringify(object.manifest))).map(({ name }) => name);
    expect(free.length).toBeGreaterThan(3);
    expect(inOwn(true)).toEqual(free.sort());
    expect(inOwn(false)).toEqual([]);
    expect(inOwn(undefined)).toEqual([]);
  });
});

describe('Kubernetes tokens', () => {
  test('the agent’s Pods have one, those that write the certificate by ACME, and those that tell of the platform’s objects', () => {
    const holders = workloads.filter(({ pod }) => pod.automountServiceAccountToken).map(({ name }) => name);
    expect(holders.sort()).toEqual(['acme', 'agent', 'kube-state-metrics']);
  });

  test('each part has an account of its own, which mounts nothing by itself', () => {
    for (const { name, namespace, pod } of workloads) {
      const account = kindOf(platform, 'ServiceAccount').find(
        ({ manifest }) =>
          manifest.metadata.name === pod.serviceAccountName && manifest.metadata.namespace === namespace,
      );
      expect(account?.manifest.metadata.name).toBe(name);
      expect(account?.manifest.automountServiceAccountToken).toBe(false);
    }
  });

  test('rights are granted to the agent, everywhere none but to look, to make namespaces and volumes of files, and to bind itself; and to what looks at objects', () => {
    const bindings = kindOf(platform, 'ClusterRoleBinding');
    const objects = [{ kind: 'ServiceAccount', name: 'kube-state-metrics', namespace: 'delos' }];
    expect(Object.fromEntries(bindings.map(({ manifest }) => [manifest.metadata.name, manifest.subjects]))).toEqual({
      'delos-agent': [{ kind: 'ServiceAccount', name: 'agent', namespace: 'delos' }],
      'delos-kube-state-metrics-nodes': objects,
    });
    const looks = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'delos-kube-state-metrics' };
    // What writes the certificate may write that one Secret, and read none.
    const bound = kindOf(platform, 'RoleBinding').map(({ manifest: { metadata, roleRef, subjects } }) => ({
      at: `${metadata.namespace} ${metadata.name}`,
      ...{ roleRef, subjects },
    }));
    expect(bound.sort((a, b) => (a.at < b.at ? -1 : 1))).toEqual([
      {
        at: 'delos acme',
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'acme' },
        subjects: [{ kind: 'ServiceAccount', name: 'acme', namespace: 'delos' }],
      },
      { at: 'delos delos-kube-state-metrics', roleRef: looks, subjects: objects },
      { at: 'delos-node delos-kube-state-metrics', roleRef: looks, subjects: objects },
    ]);
    expect(kindOf(platform, 'Role').map(({ manifest }) => manifest.rules)).toEqual([
      [{ apiGroups: [''], resources: ['secrets'], resourceNames: ['gateway-acme'], verbs: ['patch'] }],
    ]);
    const granted = Object.fromEntries(
      kindOf(platform, 'ClusterRole').map(({ manifest }) => [manifest.metadata.name, rights(manifest)]),
    );
    expect(granted).toEqual({
      'delos-kube-state-metrics': [
        'daemonsets: list watch',
        'deployments: list watch',
        'jobs: list watch',
        'persistentvolumeclaims: list watch',
        'pods: list watch',
        'statefulsets: list watch',
      ],
      'delos-kube-state-metrics-nodes': ['nodes: list watch'],
      'delos-agent': [
        'clusterroles delos-agent-project: bind',
        'namespaces: create patch',
        'nodes: list watch',
        // Those of projects' files, as admission sees to it.
        'persistentvolumes: get create delete',
        'pods: list watch',
        'rolebindings: create',
      ],
      // In a project's namespace, where the agent has bound itself.
      'delos-agent-project': [
        'configmaps: create patch',
        'events: list watch',
        'networkpolicies: create patch',
        'persistentvolumeclaims: get list watch create delete',
        'pods/attach: get create',
        'pods/exec: get create',
        'pods/portforward: get create',
        'pods: get create patch delete',
        'pods: get list',
        'secrets: create patch',
        'services: create patch',
      ],
    });
  });

  test('the agent has its rights only after the policy that limits them', () => {
    const policy = kindOf(platform, 'ValidatingAdmissionPolicy').map(({ id }) => id);
    const bound = kindOf(platform, 'ValidatingAdmissionPolicyBinding');
    expect(policy).toHaveLength(1);
    expect(bound.map(({ manifest }) => manifest.spec)).toEqual([
      { policyName: 'delos-agent', validationActions: ['Deny'] },
    ]);
    const own = kindOf(platform, 'ClusterRoleBinding').filter(
      ({ manifest }) => manifest.metadata.name === 'delos-agent',
    );
    expect(own).toHaveLength(1);
    for (const { dependsOn } of own) {
      expect(dependsOn).toEqual(expect.arrayContaining([...policy, ...bound.map(({ id }) => id)]));
    }
  });

  test.each([
    ['no project may', '', []],
    ['a project may', 'organizations: [{name: o, projects: [{name: a}, {name: b, privileged: true}]}]', ['o/b']],
  ])('namespaces become privileged only where %s run privileged jobs', (_, yaml, projects) => {
    const [policy] = kindOf(platformOf(yaml), 'ValidatingAdmissionPolicy');
    const { variables } = z
      .looseObject({ variables: z.array(z.object({ name: z.string(), expression: z.string() })) })
      .parse(policy?.manifest.spec);
    const expression = variables.find(({ name }) => name === 'privileged')?.expression ?? '';
    const allowed = [...expression.matchAll(/"(job-[^"]+)"/g)].map(([, name]) => name);
    expect(allowed).toEqual(projects.map((path) => projectNamespace(...(path.split('/') as [string, string]))));
  });
});

describe('network', () => {
  test('every Pod is selected by a default deny for both directions', () => {
    for (const workload of workloads) {
      const denials = policiesFor(platform, workload).filter(
        ({ spec }) => Object.keys(spec.podSelector.matchLabels).length === 0,
      );
      expect(denials.map(({ spec }) => spec)).toEqual([
        { podSelector: { matchLabels: {} }, policyTypes: ['Ingress', 'Egress'], ingress: [], egress: [] },
      ]);
    }
  });

  test('every policy selects a part, and every peer of it is one, the DNS or an address', () => {
    for (const { metadata, spec } of policiesOf(platform)) {
      const peers = [...spec.ingress.flatMap(({ from }) => from ?? []), ...spec.egress.flatMap(({ to }) => to ?? [])];
      for (const peer of peers) {
        const known = peer.ipBlock !== undefined || isDns(peer) || isJobs(peer);
        expect(known || workloadsOfPeer(platform, metadata.namespace, peer).length === 1).toBe(true);
      }
      const selected = workloads.filter(
        ({ namespace, labels }) => namespace === metadata.namespace && selects(spec.podSelector.matchLabels, labels),
      );
      expect(selected.length).toBeGreaterThan(0);
    }
  });

  test('every allowed port is one that its other end listens on', () => {
    for (const { metadata, spec } of policiesOf(platform)) {
      for (const { to, ports } of spec.egress) {
        const targets = (to ?? []).flatMap((peer) =>
          isDns(peer) ? [] : workloadsOfPeer(platform, metadata.namespace, peer),
        );
        for (const { pod } of targets) {
          const listens = pod.containers.flatMap((container) =>
            container.ports.map(({ containerPort }) => containerPort),
          );
          expect(listens).toEqual(expect.arrayContaining(ports.map(({ port }) => port)));
        }
      }
    }
  });

  test.each([
    [
      'control-api',
      [
        'control-api:8081',
        'dns:53',
        'files:8080',
        'keycloak:8080',
        'object-storage:7070',
        'postgres:5432',
        'redis:6379',
        'registry:5000',
        'victoria-logs:9428',
      ],
    ],
    ['registry', []],
    ['charts', ['control-api:8080', 'dns:53']],
    ['kube-state-metrics', ['10.201.0.2/32:6443']],
    ['dcgm-exporter', []],
    ['amd-gpu-exporter', []],
    ['files', ['control-api:8080', 'dns:53']],
    ['scheduler', ['dns:53', 'postgres:5432']],
    ['agent', ['10.201.0.2/32:6443', 'control-api:8081', 'dns:53', 'image-saver:8080']],
    ['image-saver', ['anywhere:8080', 'dns:53', 'gateway:8080', 'gateway:8443']],
    ['collector', ['control-api:8081', 'dns:53', 'victoria-logs:9428']],
    ['victoria-logs', []],
    ['devpi', ['control-api:8080', 'dns:53']],
    ['keycloak', ['dns:53', 'egress:3128', 'postgres:5432']],
    ['postgres', []],
    ['redis', []],
  ])('%s may connect to exactly %j', (name, expected) => {
    expect(egressOf(platform, name)).toEqual(expected);
  });

  test('gateway may connect to exactly the ports that routes name', () => {
    const address = (service: string, port: string): string => {
      const { pod } = workloads.find((workload) => workload.name === service) ?? { pod: { containers: [] } };
      const ports = pod.containers.flatMap((container) => container.ports);
      return `${service}:${ports.find((listened) => listened.name === port)?.containerPort}`;
    };
    const routed = SERVICES.flatMap(({ name, routes = [] }) =>
      routes.flatMap(({ port, http2Port, asks }) => [
        address(name, port),
        ...(http2Port === undefined ? [] : [address(name, http2Port)]),
        ...(asks === undefined ? [] : [address(asks.service, asks.port)]),
      ]),
    );
    expect(routed.length).toBeGreaterThan(2);
    expect(egressOf(platform, 'gateway')).toEqual([...new Set([...routed, 'dns:53'])].sort());
  });
});

test('the agent is told by digest what stands in for another image on this cluster', () => {
  const told = (standIns: SynthesisContext['standIns']): unknown => {
    const config = parseConfig('', 'delos.yaml');
    const agent = workloadsOf(synthesize(config, { ...engineContext(config, 'embedded'), standIns })).find(
      ({ name }) => name === 'agent',
    );
    return agent?.pod.containers[0]?.env.find(({ name }) => name === 'DELOS_STAND_INS')?.value;
  };
  const digest = `sha256:${'a'.repeat(64)}`;
  const ubuntu = { name: 'ubuntu', answers: ['docker.io/library/ubuntu:latest'], standIn: 'Debian 12', digest };
  expect(told([ubuntu])).toBe(JSON.stringify({ [digest]: 'Debian 12' }));
  expect(told(undefined)).toBeUndefined();
});

describe('Secrets', () => {
  test('no manifest carries a value, and each key says where its value comes from', () => {
    for (const { manifest, secrets } of kindOf(platform, 'Secret')) {
      expect(manifest.data ?? manifest.stringData).toBeUndefined();
      // One is filled in by a service.
      expect(Object.keys(secrets).length > 0).toBe(manifest.metadata.name !== 'gateway-acme');
    }
    for (const { manifest, secrets } of platform.objects) {
      if (manifest.kind !== 'Secret') expect(secrets).toEqual({});
    }
  });

  test('no environment variable holds a password, a token or a secret', () => {
    for (const { pod } of workloads) {
      expect(JSON.stringify(pod)).not.toMatch(/secretKeyRef|secretRef/);
      for (const { env, volumeMounts } of [...pod.initContainers, ...pod.containers]) {
        const paths = env.filter(({ name }) => /PASSWORD|TOKEN|SECRET/.test(name));
        for (const { name, value = '' } of paths) {
          expect(value, name).toMatch(/^\//);
          expect(volumeMounts.some(({ mountPath }) => value === mountPath || value.startsWith(`${mountPath}/`))).toBe(
            true,
          );
        }
      }
    }
  });

  test('the files of a Secret are its user’s and its group’s to read alone', () => {
    const modes = workloads.flatMap(({ pod }) =>
      pod.volumes.flatMap(({ secret }) => (secret === undefined ? [] : [secret.defaultMode])),
    );
    expect(modes.length).toBeGreaterThan(8);
    expect(new Set(modes)).toEqual(new Set([0o400]));
  });

  test('every reference to a Secret, ConfigMap or another Secret’s key leads somewhere', () => {
    const secrets = new Map(
      kindOf(platform, 'Secret').map(({ manifest, secrets: keys }) => [
        `${manifest.metadata.namespace}/${manifest.metadata.name}`,
        Object.keys(keys),
      ]),
    );
    const configMaps = kindOf(platform, 'ConfigMap').map(
      ({ manifest }) => `${manifest.metadata.namespace}/${manifest.metadata.name}`,
    );
    for (const { namespace, pod } of workloads) {
      for (const { configMap, secret } of pod.volumes) {
        if (configMap !== undefined) expect(configMaps).toContain(`${namespace}/${configMap.name}`);
        if (secret !== undefined) expect([...secrets.keys()]).toContain(`${namespace}/${secret.secretName}`);
      }
      const references = JSON.stringify(pod).matchAll(/"secretKeyRef":\{"key":"([^"]+)","name":"([^"]+)"/g);
      for (const [, key, name] of references) expect(secrets.get(`${namespace}/${name}`)).toContain(key);
    }
    for (const { secrets: keys } of platform.objects) {
      for (const source of Object.values(keys)) {
        if (source.kind !== 'same-as') continue;
        const [name, key] = source.ref.split('/');
        const holders = [...secrets].filter(([id]) => id.endsWith(`/${name}`));
        const meant = holders.filter(([id]) => source.namespace === undefined || id === `${source.namespace}/${name}`);
        expect(meant).toHaveLength(1);
        expect(meant[0]?.[1]).toContain(key);
      }
    }
  });

  test('each user of the configuration has a password', () => {
    const synthesis = platformOf('users: [{name: bob}, {name: eve}]');
    const secret = kindOf(synthesis, 'Secret').find(({ manifest }) => manifest.metadata.name === 'identity-passwords');
    expect(Object.keys(secret?.secrets ?? {}).sort()).toEqual(['admin', 'bob', 'eve']);
  });
});

describe('shape', () => {
  test('names are DNS labels, labels are valid, ids and objects unique', () => {
    for (const { manifest } of platform.objects) {
      expect(manifest.metadata.name).toMatch(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/);
      expect(manifest.metadata.labels).toMatchObject({ 'app.kubernetes.io/part-of': 'delos' });
      for (const value of Object.values(manifest.metadata.labels ?? {})) {
        expect(value).toMatch(/^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$/);
      }
    }
    const ids = platform.objects.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    const objects = platform.objects.map(({ manifest: { apiVersion, kind, metadata } }) =>
      [apiVersion, kind, metadata.namespace, metadata.name].join('/'),
    );
    expect(new Set(objects).size).toBe(objects.length);
  });

  test('every Pod has memory and CPU requested and memory limited; our own have 256Mi', () => {
    for (const { name, pod } of workloads) {
      const own = SERVICES.find((service) => service.name === name)?.image === 'runtime';
      for (const { resources } of [...pod.initContainers, ...pod.containers]) {
        expect(Object.keys(resources.requests).sort()).toEqual(['cpu', 'memory']);
        expect(Object.keys(resources.limits)).toEqual(['memory']);
        if (own) expect(resources.limits.memory).toBe('256Mi');
      }
    }
  });

  test('every selector is of its own Pods and of no other’s', () => {
    for (const { name, namespace, selector, labels } of workloads) {
      expect(selects(selector, labels)).toBe(true);
      const others = workloads.filter((other) => other.namespace === namespace && selects(selector, other.labels));
      expect(others.map((other) => other.name)).toEqual([name]);
    }
  });

  test('every part is told live, ready and started by probes', () => {
    for (const { pod } of workloads) {
      for (const container of pod.containers) {
        for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe'])
          expect(container).toHaveProperty(probe);
      }
    }
  });

  test('every image comes from the context', () => {
    expect(() => platformOf()).not.toThrow();
    for (const { pod } of workloads) {
      for (const { image } of [...pod.initContainers, ...pod.containers])
        expect(image).toMatch(/^[a-z0-9./-]+:[\w.-]+$/);
    }
  });
});

test('an image that the context lacks is named', () => {
  const config = parseConfig('', 'f');
  const context = { ...engineContext(config, 'embedded'), images: {} };
  expect(() => synthesize(config, context)).toThrow('no reference for image postgres');
});

test('an engine that there is not is refused with the nearest', () => {
  expect(() => platformOf('', 'embeded')).toThrow(
    new DelosError('ERR_USAGE', 'no engine is named "embeded"', { hint: 'did you mean embedded?' }),
  );
});

test('the manifests are YAML that reads back as what was synthesized', () => {
  for (const { manifest } of platform.objects) expect(parse(yamlText(manifest))).toEqual(manifest);
});
