import { X509Certificate } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { certificatesIn, complaintsOf } from '../../../cli/src/commands/tls/gateway-certificate.ts';
import { withBlock, withoutBlock } from '../../../cli/src/commands/tls/trust-block.ts';
import { certificateAuthority } from '../../../stacks/src/secrets/certificates.ts';

const NOW = new Date('2026-11-24T00:00:00Z');
const after = (days: number): Date => new Date(NOW.getTime() + days * 86_400_000);
const NAMES = { dnsNames: ['delos.example'], ipAddresses: [] };

describe('a bundle in a file of certificates', () => {
  const text = fc.string({ unit: 'binary' });
  const name = fc.constantFrom('delos localhost', 'lab ai.example.com', 'delos');

  test('is taken out without a trace, whatever the file was', () => {
    fc.assert(
      fc.property(text, name, text, (file, of, pem) => {
        expect(withoutBlock(withBlock(file, of, pem), of)).toBe(file);
      }),
    );
  });

  test('stands there once, however often it is put there, and beside those of other platforms', () => {
    const two = withBlock(withBlock('first\n', 'a', 'A1'), 'b', 'B1');
    const again = withBlock(withBlock(two, 'a', 'A2'), 'b', 'B1');
    expect(again.match(/>>> delos trust a >>>/g)).toHaveLength(1);
    expect([again.includes('A1'), again.includes('A2'), again.includes('B1')]).toEqual([false, true, true]);
    expect(withoutBlock(withoutBlock(again, 'b'), 'a')).toBe('first\n');
  });

  test('is left alone where its end is not there', () => {
    const cut = withBlock('first\n', 'a', 'A1').replace('<<<\n', '');
    expect(withoutBlock(cut, 'a')).toBe(cut);
  });
});

describe('status says of the gateway', () => {
  const shown = async (days: number, rotated = false) => {
    const former = await certificateAuthority.createCa(NOW);
    const { certificate } = await certificateAuthority.createLeaf(former, NAMES, NOW);
    const authorities = [...(rotated ? [await certificateAuthority.createCa(NOW)] : []), former];
    const found = {
      leaf: new X509Certificate(certificate),
      authorities: certificatesIn(authorities.map((one) => one.certificate).join('')),
      given: false,
    };
    return complaintsOf(found, after(days)).map(({ message, todo }) => `${message}: ${todo}`);
  };

  test.each([
    ['nothing while its certificate is young', 100, []],
    ['nothing while `up` would make another', 169, []],
    ['that its certificate ends', 171, [/^the certificate of the gateway ends in 29 days, on 2027-06-12: `delos up`/]],
    ['that its certificate has ended', 201, [/^the certificate of the gateway has ended on 2027-06-12: `delos up`/]],
    [
      'that its authority ends as well',
      3640,
      [/^the certificate of the gateway has/, /^the certificate authority ends/],
    ],
  ])('%s', async (_, days, words) => {
    const said = await shown(days);
    expect(said).toHaveLength(words.length);
    for (const [nth, word] of words.entries()) expect(said[nth]).toMatch(word);
  });

  test.each([
    ['nothing while an authority is being replaced', 29, []],
    [
      'that the former authority still signs',
      31,
      [/^the former certificate authority signs until 2026-12-24, and still does: `delos up` lets/],
    ],
  ])('%s', async (_, days, words) => {
    const said = await shown(days, true);
    expect(said).toHaveLength(words.length);
    for (const [nth, word] of words.entries()) expect(said[nth]).toMatch(word);
  });
});
