import { objectOf, parseConfig } from '@delos/constructs';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { platformOf } from './synthesized.ts';

const JOIN = `join:
  platform: https://ai.example.com
  cluster: hall-b
  token: {file: /run/secrets/join-token}
  authority: /etc/ssl/site.pem
`;
const platform = platformOf(JOIN);

test('a cluster that joins has an agent and collectors, and nothing else of a platform', () => {
  const workloads = platform.objects.filter(({ manifest }) =>
    /^(Deployment|DaemonSet|StatefulSet)$/.test(manifest.kind),
  );
  expect(workloads.map(({ manifest }) => manifest.metadata.name).sort()).toEqual(['agent', 'collector']);
  const secrets = platform.objects.filter(({ manifest }) => manifest.kind === 'Secret');
  expect(secrets.map(({ manifest: { metadata } }) => `${metadata.namespace}/${metadata.name}`).sort()).toEqual([
    'delos-node/collector-token',
    'delos/agent-token',
    'delos/collector-token',
    'delos/join-token',
  ]);
  expect(
    platform.objects.some(({ manifest }) => manifest.kind === 'Service' && manifest.metadata.name === 'gateway'),
  ).toBe(false);
});

const variables = z.looseObject({
  spec: z.looseObject({
    template: z.looseObject({
      spec: z.looseObject({
        containers: z
          .array(z.looseObject({ env: z.array(z.looseObject({ name: z.string(), value: z.string().optional() })) }))
          .length(1),
      }),
    }),
  }),
});
const envOf = (kind: string, name: string) =>
  Object.fromEntries(
    variables
      .parse(objectOf(platform, kind, name).manifest)
      .spec.template.spec.containers.flatMap(({ env }) => env)
      .map((each) => [each.name, each.value]),
  );

test('agent and collector dial the platform, as the cluster that it knows, and trust its authority', () => {
  for (const env of [envOf('Deployment', 'agent'), envOf('DaemonSet', 'collector')]) {
    expect(env).toMatchObject({
      DELOS_API_URL: 'https://ai.example.com',
      DELOS_AGENT_PREFIX: '/agents/v1',
      DELOS_CLUSTER: 'hall-b',
      NODE_EXTRA_CA_CERTS: '/etc/delos-authorities/ca.pem',
    });
  }
  for (const namespace of ['delos', 'delos-node']) {
    expect(objectOf(platform, 'ConfigMap', 'delos-authorities', namespace).secrets).toEqual({
      'ca.pem': { kind: 'authorities', files: ['/etc/ssl/site.pem'], own: false },
    });
  }
});

test('they reach the platform at its port, at the addresses that are named where any are', () => {
  const egress = z.looseObject({ spec: z.looseObject({ egress: z.array(z.looseObject({ ports: z.unknown() })) }) });
  const of = (yaml: string) =>
    egress.parse(objectOf(platformOf(yaml), 'NetworkPolicy', 'collector').manifest).spec.egress;
  expect(of(JOIN)).toContainEqual({ ports: [{ port: 443, protocol: 'TCP' }] });
  const named = `${JOIN.replace('ai.example.com', 'ai.example.com:8443')}  addresses: [192.0.2.7]\n`;
  expect(of(named)).toContainEqual({
    to: [{ ipBlock: { cidr: '192.0.2.7/32' } }],
    ports: [{ port: 8443, protocol: 'TCP' }],
  });
});

test('what the agent and collectors show is rotated, and the join token is read from its file', () => {
  const of = (name: string, namespace: string) => objectOf(platform, 'Secret', name, namespace).secrets;
  expect(of('agent-token', 'delos')).toMatchObject({ token: { kind: 'password', rotation: { kind: 'overlap' } } });
  expect(of('collector-token', 'delos')).toMatchObject({ token: { kind: 'password', rotation: { kind: 'overlap' } } });
  expect(of('join-token', 'delos')).toEqual({ value: { kind: 'file', path: '/run/secrets/join-token' } });
});

test.each([
  ['no token', 'join: {platform: "https://ai.example.com", cluster: hall-b}', '`token` is missing'],
  [
    'a loopback address',
    'join: {platform: "https://127.0.0.1", cluster: a, token: {file: /x}}',
    'loopback of their own',
  ],
  ['a path', 'join: {platform: "https://ai.example.com/api", cluster: a, token: {file: /x}}', 'leave out the path'],
  [
    'the token itself',
    'join: {platform: "https://ai.example.com", cluster: a, token: delos-join-x}',
    'never the secret itself',
  ],
])('%s is refused', (_, yaml, message) => {
  expect(() => parseConfig(yaml, 'delos.yaml')).toThrow(message);
});
