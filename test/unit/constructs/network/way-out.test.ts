import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { isDns, policiesFor } from '../network-peers.ts';
import { kindOf, platformOf, workloadsOf } from '../synthesized.ts';

const CLOSED = `
domain: ai.example.com
network:
  proxy: {http: "http://proxy.example.com:3128", no: [.example.org], credentials: {file: /run/secrets/proxy}, addresses: [10.9.0.1]}
  authorities: [/etc/ssl/site.pem]
  jobs: {proxy: true}
`;
const closed = platformOf(CLOSED);
const open = platformOf();
const URL_OF_EGRESS = 'http://egress.delos.svc.cluster.local:3128';
/** Those whose programs dial outside. */
const DIAL_OUT = ['alertmanager', 'keycloak', 'prometheus'];
const envOf = (synthesis: typeof closed, name: string): ReadonlyMap<string, string | undefined> =>
  new Map(
    workloadsOf(synthesis)
      .find((each) => each.name === name)
      ?.pod.containers[0]?.env.map((each) => [each.name, each.value]),
  );

describe('a proxy', () => {
  test('is told to what dials out, and to nothing else', () => {
    const told = workloadsOf(closed).filter(({ name }) => envOf(closed, name).has('HTTPS_PROXY'));
    expect(told.map(({ name }) => name).sort()).toEqual(DIAL_OUT);
    for (const name of DIAL_OUT) {
      expect(envOf(closed, name).get('HTTP_PROXY')).toBe(URL_OF_EGRESS);
      expect(envOf(closed, name).get('HTTPS_PROXY')).toBe(URL_OF_EGRESS);
    }
  });

  test('is not asked for the cluster’s own names, nor for the platform’s, nor for what the site says', () => {
    const none = envOf(closed, 'keycloak').get('NO_PROXY')?.split(',');
    expect(none).toEqual(
      expect.arrayContaining([
        'localhost',
        '127.0.0.0/8',
        '.svc',
        '.cluster.local',
        'ai.example.com',
        '.ai.example.com',
        '.example.org',
      ]),
    );
  });

  test('is reached by one Pod alone, at its addresses', () => {
    const at3128 = workloadsOf(closed).filter((workload) =>
      policiesFor(closed, workload).some(({ spec }) =>
        spec.egress.some(
          ({ to, ports }) => ports.some(({ port }) => port === 3128) && to?.some(({ ipBlock }) => ipBlock),
        ),
      ),
    );
    expect(at3128.map(({ name }) => name)).toEqual(['egress']);
    const ways = at3128
      .flatMap((workload) => policiesFor(closed, workload))
      .flatMap(({ spec }) => spec.egress)
      .filter(({ to = [] }) => !to.some(isDns));
    expect(ways).toEqual([{ to: [{ ipBlock: { cidr: '10.9.0.1/32' } }], ports: [{ port: 3128, protocol: 'TCP' }] }]);
  });

  test('has its login in one Pod, as a file, and nowhere in a manifest', () => {
    const holders = workloadsOf(closed).filter(({ pod }) =>
      pod.volumes.some(({ secret }) => secret?.secretName === 'egress-login'),
    );
    expect(holders.map(({ name }) => name)).toEqual(['egress']);
    expect(kindOf(closed, 'Secret').find(({ manifest }) => manifest.metadata.name === 'egress-login')?.secrets).toEqual(
      {
        value: { kind: 'file', path: '/run/secrets/proxy' },
      },
    );
  });

  test('is what Alertmanager and Prometheus are told to use, which leave their environment aside otherwise', () => {
    const text = (name: string, file: string, of = closed): string => {
      const found = kindOf(of, 'ConfigMap').find(({ manifest }) => manifest.metadata.name === name);
      return z.record(z.string(), z.string()).parse(found?.manifest.data)[file] ?? '';
    };
    expect(text('alertmanager', 'alertmanager.yaml')).toContain('proxy_from_environment: true');
    const remote = platformOf(
      `${CLOSED}\nservices: {prometheus: {remoteWrite: [{url: "https://metrics.example.net/write"}]}}`,
    );
    expect(text('prometheus', 'prometheus.yaml', remote)).toContain('proxy_from_environment: true');
    expect(text('alertmanager', 'alertmanager.yaml', open)).not.toContain('proxy');
  });

  test('leaves a platform as it is where there is none', () => {
    expect(workloadsOf(open).map(({ name }) => name)).not.toContain('egress');
    for (const { name } of workloadsOf(open)) expect(envOf(open, name).has('HTTPS_PROXY')).toBe(false);
  });

  test('is for jobs where that is said', () => {
    expect(envOf(closed, 'agent').get('DELOS_JOB_PROXY')).toBe('http://egress.delos.svc.cluster.local:3129');
    const without = platformOf(CLOSED.replace('{proxy: true}', '{authorities: false}'));
    expect(envOf(without, 'agent').has('DELOS_JOB_PROXY')).toBe(false);
    expect(envOf(without, 'agent').has('DELOS_JOB_AUTHORITIES_FILE')).toBe(false);
    const [egress] = workloadsOf(without).filter(({ name }) => name === 'egress');
    expect(egress?.pod.containers[0]?.ports.map(({ name }) => name)).toEqual(['proxy', 'internal']);
  });
});

describe('authorities', () => {
  const bundle = (of: typeof closed) =>
    kindOf(of, 'ConfigMap').find(({ manifest }) => manifest.metadata.name === 'delos-authorities');

  test('are one ConfigMap, filled in when it is deployed', () => {
    expect(bundle(closed)?.secrets).toEqual({
      'ca.pem': { kind: 'authorities', files: ['/etc/ssl/site.pem'], own: true },
    });
    expect(bundle(closed)?.manifest.data).toBeUndefined();
    expect(bundle(open)).toBeUndefined();
  });

  test('are mounted by what dials out, each told of them in its own way', () => {
    const file = '/etc/delos-authorities/ca.pem';
    for (const [name, variable] of [
      ['alertmanager', 'SSL_CERT_FILE'],
      ['prometheus', 'SSL_CERT_FILE'],
      ['keycloak', 'KC_TRUSTSTORE_PATHS'],
      ['control-api', 'NODE_EXTRA_CA_CERTS'],
      ['egress', 'DELOS_AUTHORITIES_FILE'],
      ['agent', 'DELOS_JOB_AUTHORITIES_FILE'],
    ] as const) {
      expect([name, envOf(closed, name).get(variable)]).toEqual([name, file]);
    }
  });

  test('are added to those of an identity provider', () => {
    const provider = `
identity:
  oidc:
    - name: partner
      issuer: https://sso.example.org
      clientId: delos
      clientSecret: {file: /run/secrets/sso}
      authority: {file: /etc/ssl/sso.pem}
`;
    expect(envOf(platformOf(CLOSED + provider), 'keycloak').get('KC_TRUSTSTORE_PATHS')).toBe(
      '/etc/keycloak-authorities/identity-authority-partner/value,/etc/delos-authorities/ca.pem',
    );
  });

  test('hold the authority of a certificate that is given, in place of the platform’s own', () => {
    const given = `gateway: {tls: {given: {certificate: /c.pem, key: /k.pem, authority: /a.pem}}}`;
    expect(bundle(platformOf(CLOSED + given))?.secrets['ca.pem']).toEqual({
      kind: 'authorities',
      files: ['/etc/ssl/site.pem', '/a.pem'],
      own: false,
    });
  });
});
