import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { resolveTool } from '@delos/cluster';
import { NODE_NAMESPACE, PLATFORM_NAMESPACE, silent } from '@delos/core';
import { freePort } from '@delos/host';
import type { JsonObject } from '@delos/kube';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { type ControlPlane, startControlPlane } from '../../support/service/control-plane.ts';
import { until } from '../../support/until.ts';
import { platformOf, workloadsOf } from '../../unit/constructs/synthesized.ts';

/*
 * kube-state-metrics itself, with the command and the rights of the platform's own manifests, at a real API server without a node:
 * Pods and nodes are what the test says of them.
 */

const PROJECT = 'project-acme--secret';
const platform = platformOf('services: {kubeStateMetrics: {enabled: true}}');
const NAME = 'kube-state-metrics';

let plane: ControlPlane;
let child: ChildProcess;
let folder: string;
let at: string;
let logged = '';

const apply = async (object: JsonObject): Promise<void> => {
  const { apiVersion, kind, metadata } = z
    .looseObject({
      apiVersion: z.string(),
      kind: z.string(),
      metadata: z.looseObject({ name: z.string(), namespace: z.string().optional() }),
    })
    .parse(object);
  const ref = { apiVersion, kind, name: metadata.name, namespace: metadata.namespace };
  await plane.client.apply(ref, object, { fieldManager: 'test', force: true });
};
const pod = (name: string, namespace: string): JsonObject => ({
  ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace, labels: { project: 'acme-secret' } } },
  spec: { containers: [{ name: 'main', image: 'none' }] },
});
const status = async (path: string, body: JsonObject): Promise<void> => {
  await plane.client.api.request('PATCH', `${path}/status`, { body, contentType: 'application/merge-patch+json' });
};

beforeAll(async () => {
  const { path } = await resolveTool('kube-state-metrics', silent);
  plane = await startControlPlane((await resolveTool('kube', silent)).path);
  for (const namespace of [PLATFORM_NAMESPACE, NODE_NAMESPACE, PROJECT]) {
    await apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
  }
  for (const { manifest } of platform.objects) {
    const text = JSON.stringify(manifest);
    const own = manifest.metadata.name.includes(NAME) && /Role|ServiceAccount/.test(manifest.kind);
    if (own) await apply(JSON.parse(text) as JsonObject);
  }
  const { status: given } = z.object({ status: z.object({ token: z.string() }) }).parse(
    await plane.client.api.request('POST', `/api/v1/namespaces/${PLATFORM_NAMESPACE}/serviceaccounts/${NAME}/token`, {
      body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { audiences: [] } },
    }),
  );
  folder = await mkdtemp(join(tmpdir(), 'delos-kube-state-'));
  const kubeconfig = join(folder, 'kubeconfig');
  await writeFile(
    kubeconfig,
    JSON.stringify({
      ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'own' },
      clusters: [{ name: 'own', cluster: { server: plane.server, 'insecure-skip-tls-verify': true } }],
      users: [{ name: 'own', user: { token: given.token } }],
      contexts: [{ name: 'own', context: { cluster: 'own', user: 'own' } }],
    }),
    { mode: 0o600 },
  );
  const command = z
    .array(z.string())
    .parse(workloadsOf(platform).find(({ name }) => name === NAME)?.pod.containers[0]?.command);
  const [port, self] = [await freePort(), await freePort()];
  const args = command
    .slice(1)
    .map((arg) =>
      arg.replace(/^--port=.*/, `--port=${port}`).replace(/^--telemetry-port=.*/, `--telemetry-port=${self}`),
    );
  child = spawn(path, [...args, `--kubeconfig=${kubeconfig}`], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { GOMEMLIMIT: '96MiB' },
  });
  child.stderr?.on('data', (text: Buffer) => (logged += text.toString()));
  at = `http://127.0.0.1:${port}`;
  for (const [url, what] of [
    [`${at}/healthz`, 'alive'],
    [`http://127.0.0.1:${self}/readyz`, 'ready'],
  ] as const) {
    await until(`kube-state-metrics is ${what}`, 60, async (last) => {
      if (child.exitCode !== null) throw new Error(logged);
      const answer = await fetch(url).catch((error: unknown) => last(String(error)));
      return answer?.ok === true ? true : undefined;
    });
  }
}, 600_000);
afterAll(async () => {
  if (child !== undefined && child.exitCode === null) {
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }
  await plane?.stop();
  if (folder !== undefined) await rm(folder, { recursive: true, force: true });
});

const lines = async (): Promise<readonly string[]> =>
  (await (await fetch(`${at}/metrics`)).text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
/** Waits for a line that has all of this. */
const line = (...parts: readonly string[]): Promise<string> =>
  until(parts.join(' '), 60, async (last) => {
    const all = await lines();
    last(all.filter((each) => each.includes(parts[0] ?? '')));
    return all.find((each) => parts.every((part) => each.includes(part)));
  });

test('it tells of the platform’s Pods, workloads, claims and Jobs, and of nodes, what alerts ask for', async () => {
  await apply(pod('app-0', PLATFORM_NAMESPACE));
  await status(`/api/v1/namespaces/${PLATFORM_NAMESPACE}/pods/app-0`, {
    status: {
      phase: 'Running',
      containerStatuses: [
        { name: 'main', image: 'none', imageID: 'none', ready: true, restartCount: 7, state: { running: {} } },
      ],
    },
  });
  await line('kube_pod_container_status_restarts_total', 'pod="app-0"', '} 7');
  await line('kube_pod_status_phase', 'pod="app-0"', 'phase="Running"', '} 1');
  const labels = { app: 'none' };
  const spec = {
    replicas: 2,
    selector: { matchLabels: labels },
    template: { metadata: { labels }, spec: { containers: [{ name: 'main', image: 'none' }] } },
  };
  await apply({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'two', namespace: PLATFORM_NAMESPACE },
    spec,
  });
  await line('kube_deployment_spec_replicas', 'deployment="two"', '} 2');
  await line('kube_deployment_status_replicas_available', 'deployment="two"', '} 0');
  await apply({
    ...{ apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: 'waits', namespace: PLATFORM_NAMESPACE } },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
  });
  await line('kube_persistentvolumeclaim_status_phase', 'persistentvolumeclaim="waits"', 'phase="Pending"', '} 1');
  await apply({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' } });
  await status('/api/v1/nodes/n1', {
    status: {
      conditions: [
        { type: 'Ready', status: 'False' },
        { type: 'DiskPressure', status: 'True' },
      ],
    },
  });
  await line('kube_node_status_condition', 'node="n1"', 'condition="Ready"', 'status="true"', '} 0');
  await line('kube_node_status_condition', 'node="n1"', 'condition="DiskPressure"', 'status="true"', '} 1');
  // Nodes have no namespace: they are not told once for each that it looks at.
  expect((await lines()).filter((each) => each.includes('condition="DiskPressure",status="true"'))).toHaveLength(1);
});

test('nothing of a project’s namespace is in it, and no label of an object, so that nobody can name a series as another’s', async () => {
  await apply(pod('5f0c-job', PROJECT));
  await apply(pod('app-1', PLATFORM_NAMESPACE));
  await line('kube_pod_status_phase', 'pod="app-1"');
  const all = (await lines()).join('\n');
  expect(all).not.toContain(PROJECT);
  expect(all).not.toContain('5f0c-job');
  expect(all).not.toContain('project=');
  expect(all).not.toContain('acme-secret');
});

test('its account may read nothing else: no Secret, no Pod of a project, and it may change nothing', async () => {
  const may = async (verb: string, resource: string, namespace: string): Promise<boolean> =>
    z.object({ status: z.object({ allowed: z.boolean() }) }).parse(
      await plane.client.api.request('POST', '/apis/authorization.k8s.io/v1/subjectaccessreviews', {
        body: {
          ...{ apiVersion: 'authorization.k8s.io/v1', kind: 'SubjectAccessReview' },
          spec: {
            user: `system:serviceaccount:${PLATFORM_NAMESPACE}:${NAME}`,
            groups: ['system:serviceaccounts', 'system:authenticated'],
            resourceAttributes: { verb, resource, namespace },
          },
        },
      }),
    ).status.allowed;
  expect(await may('list', 'pods', PLATFORM_NAMESPACE)).toBe(true);
  for (const [verb, resource, namespace] of [
    ['list', 'pods', PROJECT],
    ['list', 'pods', ''],
    ['list', 'secrets', PLATFORM_NAMESPACE],
    ['list', 'configmaps', PLATFORM_NAMESPACE],
    ['get', 'pods', PLATFORM_NAMESPACE],
    ['delete', 'pods', PLATFORM_NAMESPACE],
  ] as const) {
    expect([verb, resource, namespace, await may(verb, resource, namespace)]).toEqual([
      verb,
      resource,
      namespace,
      false,
    ]);
  }
  expect(logged).not.toMatch(/forbidden/i);
});

test('with 300 Pods of the platform it stays far below its limit of memory', async () => {
  for (let nth = 0; nth < 300; nth += 1) await apply(pod(`many-${nth}`, PLATFORM_NAMESPACE));
  await line('kube_pod_status_phase', 'pod="many-299"');
  const [, peak = ''] = /VmHWM:\s+(\d+) kB/.exec(await readFile(`/proc/${child.pid}/status`, 'utf8')) ?? [];
  expect(Number(peak)).toBeLessThan(100 * 1024);
});
