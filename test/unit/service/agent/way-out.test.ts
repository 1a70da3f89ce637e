import { jobDesire } from '@delos/core';
import { describe, expect, test } from 'vitest';
import { podManifest } from '../../../../runtime/service/src/agent/jobs/pod-manifest.ts';
import type { WayOut } from '../../../../runtime/service/src/agent/jobs/way-out.ts';
import { authoritiesManifest, networkPolicies } from '../../../../runtime/service/src/agent/namespaces/manifests.ts';

const WAY_OUT: WayOut = { proxy: { url: 'http://egress.delos:3129', none: '.svc' }, authorities: true };

// biome-ignore lint/suspicious/noExplicitAny: looks into a manifest
function podWith(wayOut: WayOut, env: Readonly<Record<string, string>> = {}): any {
  const pod = {
    ...{ namespace: 'job-a', org: 'o', project: 'p', owner: 'ann', presetName: 'small', image: 'ubuntu' },
    ...{ resources: { cpu: 0.1, memory: 1024 }, pool: 'default', env },
  };
  const id = 'job-00000000-0000-4000-8000-000000000001';
  return podManifest(
    jobDesire.parse({ kind: 'job', id, revision: 1, spec: { action: 'run', pod } }),
    'c',
    undefined,
    wayOut,
  );
}
// biome-ignore lint/suspicious/noExplicitAny: looks into a manifest
const envOf = (pod: any): Readonly<Record<string, string>> =>
  Object.fromEntries(
    pod.spec.containers[0].env.map(({ name, value }: { readonly name: string; readonly value: string }) => [
      name,
      value,
    ]),
  );

describe('a job', () => {
  test('finds proxy and authorities in its environment, in the names that programs look for', () => {
    const pod = podWith(WAY_OUT);
    const file = '/etc/delos-authorities/ca.pem';
    expect(envOf(pod)).toMatchObject({
      ...{ HTTP_PROXY: 'http://egress.delos:3129', https_proxy: 'http://egress.delos:3129', NO_PROXY: '.svc' },
      ...{ SSL_CERT_FILE: file, REQUESTS_CA_BUNDLE: file, CURL_CA_BUNDLE: file, NODE_EXTRA_CA_CERTS: file },
    });
    expect(pod.spec.volumes).toContainEqual({ name: 'delos-authorities', configMap: { name: 'delos-authorities' } });
    expect(pod.spec.containers[0].volumeMounts).toContainEqual({
      ...{ name: 'delos-authorities', mountPath: '/etc/delos-authorities', readOnly: true },
    });
  });

  test('stands above it with what it sets itself', () => {
    const env = envOf(podWith(WAY_OUT, { HTTPS_PROXY: 'http://mine:1', SSL_CERT_FILE: '/mine.pem' }));
    expect(env).toMatchObject({ HTTPS_PROXY: 'http://mine:1', SSL_CERT_FILE: '/mine.pem' });
  });

  test('has nothing of it where the platform gives nothing', () => {
    const pod = podWith({ proxy: undefined, authorities: false });
    expect(Object.keys(envOf(pod))).toEqual(['NEURO_JOB_ID']);
    expect(JSON.stringify(pod)).not.toContain('authorities');
  });
});

test('a project’s jobs may reach the way out where they have it, at its one port', () => {
  const of = (proxied: boolean) =>
    JSON.stringify(
      networkPolicies('job-a', { platformNamespace: 'delos', dnsAddresses: [], deniedCidrs: [], proxied }),
    );
  expect(of(true)).toContain('"app.kubernetes.io/name":"egress"');
  expect(of(true)).toContain('"ports":[{"protocol":"TCP","port":3129}]');
  expect(of(false)).not.toContain('egress"}');
});

test('a project’s authorities are one ConfigMap with one key', () => {
  expect(authoritiesManifest('job-a', 'PEM')).toMatchObject({
    ...{ kind: 'ConfigMap', metadata: { name: 'delos-authorities', namespace: 'job-a' }, data: { 'ca.pem': 'PEM' } },
  });
});
