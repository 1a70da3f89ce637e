import { engineContext, parseConfig, type SynthesizedObject, synthesize } from '@delos/constructs';
import { describe, expect, test } from 'vitest';
import { certificateAuthority } from '../../../stacks/src/secrets/certificates.ts';

const objectsOf = (yaml: string): readonly SynthesizedObject[] => {
  const config = parseConfig(yaml, 'delos.yaml');
  return synthesize(config, engineContext(config, 'embedded')).objects;
};
const secretIn = (objects: readonly SynthesizedObject[]) =>
  objects.find(({ manifest: { kind, metadata } }) => kind === 'Secret' && metadata.name === 'gateway-tls');

describe('the gateway’s certificate', () => {
  const namesFor = (yaml: string) => {
    const source = secretIn(objectsOf(yaml))?.secrets['tls.crt'];
    return source !== undefined && 'leaf' in source ? [...source.dnsNames, ...source.ipAddresses] : [];
  };
  const inside = 'gateway.delos.svc.cluster.local';

  test.each([
    [
      'domain: ai.example.com',
      [
        ...['ai.example.com', '*.ai.example.com', '*.jobs.ai.example.com', '*.apps.ai.example.com'],
        ...['localhost', inside, '127.0.0.1'],
      ],
    ],
    ['domain: 10.0.0.7', ['localhost', inside, '10.0.0.7', '127.0.0.1']],
    ['', ['localhost', '*.localhost', '*.jobs.localhost', '*.apps.localhost', inside, '127.0.0.1']],
  ])('%s: is for all names', (yaml, names) => {
    expect(namesFor(yaml)).toEqual(names);
  });

  test('is what an issuer can write, and each name below the domain is one of it', async () => {
    const source = secretIn(objectsOf('domain: ai.example.com'))?.secrets['tls.crt'];
    if (source === undefined || !('leaf' in source)) throw new Error('no certificate is asked for');
    const { X509Certificate } = await import('node:crypto');
    const now = new Date();
    const { certificate } = await certificateAuthority.createLeaf(
      await certificateAuthority.createCa(now),
      source,
      now,
    );
    const leaf = new X509Certificate(certificate);
    for (const host of [
      'ai.example.com',
      'grafana.ai.example.com',
      'job-1.jobs.ai.example.com',
      'a.apps.ai.example.com',
    ])
      expect(leaf.checkHost(host), host).toBeDefined();
    for (const host of ['a.b.ai.example.com', 'example.com']) expect(leaf.checkHost(host), host).toBeUndefined();
  });
});

describe('a certificate that is given', () => {
  test('in files fills the Secret from them, and no authority is asked for', () => {
    const objects = objectsOf('gateway: { tls: { given: { certificate: /c.pem, key: /k.pem, authority: /a.pem } } }');
    expect(secretIn(objects)?.secrets).toEqual({
      'tls.crt': { kind: 'file', path: '/c.pem' },
      'tls.key': { kind: 'file', path: '/k.pem' },
      'ca.crt': { kind: 'file', path: '/a.pem' },
    });
    expect(JSON.stringify(objects)).not.toContain('"ca-certificate"');
  });

  test('in a Secret is mounted from it, and none is made', () => {
    const objects = objectsOf('gateway: { tls: { given: { secret: from-the-vault } } }');
    expect(secretIn(objects)).toBeUndefined();
    expect(JSON.stringify(objects)).toContain('"secretName":"from-the-vault"');
  });

  test.each([
    ['both', '{ secret: a, certificate: /c.pem, key: /k.pem }'],
    ['half of a pair', '{ certificate: /c.pem }'],
    ['nothing', '{}'],
  ])('as %s is refused', (_, given) => {
    expect(() => objectsOf(`gateway: { tls: { given: ${given} } }`)).toThrow(/expected exactly one of/);
  });
});
