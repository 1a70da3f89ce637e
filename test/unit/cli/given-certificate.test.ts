import { describe, expect, test } from 'vitest';
import { type GivenPair, judgeGiven } from '../../../cli/src/commands/tls/given.ts';
import { certificateAuthority } from '../../../stacks/src/secrets/certificates.ts';

const NOW = new Date('2026-11-24T00:00:00Z');
const after = (days: number): Date => new Date(NOW.getTime() + days * 86_400_000);
const HOST = 'ai.example.com';

const ca = await certificateAuthority.createCa(NOW);
const other = await certificateAuthority.createCa(NOW);
const leafOf = (dnsNames: readonly string[], ipAddresses: readonly string[] = []) =>
  certificateAuthority.createLeaf(ca, { dnsNames, ipAddresses }, NOW);
const leaf = await leafOf([HOST, `*.${HOST}`]);
const stranger = await leafOf([HOST]);

const given = (certificate: string, key: string): GivenPair => ({
  certificate: { at: '/tls/chain.pem', pem: certificate },
  key: { at: '/tls/key.pem', pem: key },
});

describe('a given certificate', () => {
  test.each([
    ['alone', leaf.certificate, HOST],
    ['with the one that signed it', leaf.certificate + ca.certificate, HOST],
    ['with words between', `its own:\n${leaf.certificate}its signer:\n${ca.certificate}`, HOST],
    ['for all names of a level', leaf.certificate, `lab.${HOST}`],
  ])('is taken: %s', (_, certificate, host) => {
    expect(() => judgeGiven(given(certificate, leaf.key), host, NOW)).not.toThrow();
  });

  test('is taken for an address that it names', async () => {
    const { certificate, key } = await leafOf([], ['10.0.0.7']);
    expect(() => judgeGiven(given(certificate, key), '10.0.0.7', NOW)).not.toThrow();
  });

  test.each([
    ['nothing in its file', '', leaf.key, NOW, HOST, '/tls/chain.pem holds no certificate'],
    [
      'a text that is none',
      leaf.certificate.replaceAll(/\w{20}/g, 'AAAA'),
      leaf.key,
      NOW,
      HOST,
      '/tls/chain.pem holds a certificate that cannot be read',
    ],
    ['no key', leaf.certificate, 'key', NOW, HOST, '/tls/key.pem holds no private key'],
    [
      'a key with a passphrase',
      leaf.certificate,
      '-----BEGIN ENCRYPTED PRIVATE KEY-----',
      NOW,
      HOST,
      '/tls/key.pem is protected by a passphrase',
    ],
    [
      'another’s key',
      leaf.certificate,
      stranger.key,
      NOW,
      HOST,
      '/tls/key.pem is not the key of the first certificate in /tls/chain.pem',
    ],
    [
      'a chain in the wrong order',
      ca.certificate + leaf.certificate,
      ca.key,
      NOW,
      HOST,
      'certificate 2 of 2 has not signed the one before it',
    ],
    [
      'a signer that is not its own',
      leaf.certificate + other.certificate,
      leaf.key,
      NOW,
      HOST,
      'certificate 2 of 2 has not signed the one before it',
    ],
    ['an end that has come', leaf.certificate, leaf.key, after(201), HOST, '/tls/chain.pem has ended on 2027-06-12'],
    [
      'a time that has not come',
      leaf.certificate,
      leaf.key,
      after(-1),
      HOST,
      '/tls/chain.pem is not good before 2026-11-23',
    ],
    [
      'other names',
      leaf.certificate,
      leaf.key,
      NOW,
      'ai.example.org',
      '/tls/chain.pem is not for ai.example.org, but for DNS:ai.example.com',
    ],
    [
      'names alone where an address is asked for',
      leaf.certificate,
      leaf.key,
      NOW,
      '127.0.0.1',
      '/tls/chain.pem is not for 127.0.0.1',
    ],
  ])('is refused, and why: %s', (_, certificate, key, now, host, words) => {
    expect(() => judgeGiven(given(certificate, key), host, now)).toThrow(words);
  });
});
