import { X509Certificate } from 'node:crypto';
import type { SecretSource, SynthesizedObject } from '@delos/constructs';
import { OVERLAP_DAYS } from '@delos/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { certificateAuthority } from '../../../stacks/src/secrets/certificates.ts';
import type { Rotation } from '../../../stacks/src/secrets/renewal.ts';
import { EMPTY_STORE, parseStore, type SecretStore } from '../../../stacks/src/secrets/secret-store.ts';
import { completeSecrets } from '../../../stacks/src/secrets/store.ts';

const DAY_MS = 86_400_000;
const NOW = new Date('2026-11-24T00:00:00Z');
const after = (days: number): Date => new Date(NOW.getTime() + days * DAY_MS);

const leaf = { leaf: 'gateway', dnsNames: ['delos.example', '*.delos.example'], ipAddresses: ['127.0.0.1'] };
const sources: Readonly<Record<string, SecretSource>> = {
  'tls.crt': { kind: 'certificate', ...leaf },
  'tls.key': { kind: 'certificate-key', ...leaf },
  'ca.crt': { kind: 'ca-certificate' },
};
const tls: SynthesizedObject = {
  id: 'tls',
  manifest: { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'tls', namespace: 'delos' } },
  dependsOn: [],
  secrets: sources,
};

interface State {
  readonly store: SecretStore;
  readonly changed: boolean;
  readonly leaf: string;
  readonly bundle: readonly string[];
}

async function deployed(before: SecretStore, now: Date, rotation?: Rotation): Promise<State> {
  const { store, changed, values } = await completeSecrets([tls], before, certificateAuthority, now, { rotation });
  const own = values.get('tls') ?? {};
  const bundle = (own['ca.crt'] ?? '').match(/-----BEGIN[^-]+-----[^-]+-----END[^-]+-----/g) ?? [];
  return { store, changed, leaf: own['tls.crt'] ?? '', bundle };
}

const trusts = (bundle: readonly string[], certificate: string): boolean =>
  bundle.some((authority) => certificateAuthority.isSignedBy(certificate, authority));

test('whoever has taken the bundle goes on for the overlap, whatever is rotated and whenever', async () => {
  const step = fc.record({
    days: fc.integer({ min: 0, max: 45 }),
    rotation: fc.constantFrom<Rotation | undefined>(undefined, undefined, { authority: false }, { authority: true }),
  });
  const steps = fc.array(step, { minLength: 1, maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(steps, async (all) => {
      const taken: { readonly day: number; readonly bundle: readonly string[] }[] = [];
      let store = EMPTY_STORE;
      let day = 0;
      for (const { days, rotation } of all) {
        day += days;
        const now = after(day);
        const state = await deployed(store, now, rotation);
        taken.push({ day, bundle: state.bundle });
        for (const one of taken) {
          if (day - one.day <= OVERLAP_DAYS) expect(trusts(one.bundle, state.leaf), `of day ${one.day}`).toBe(true);
        }
        expect(certificateAuthority.isValid(state.leaf, now)).toBe(true);
        expect(certificateAuthority.isDue(state.leaf, now)).toBe(false);
        expect(state.bundle.length).toBeLessThanOrEqual(2);
        expect((await deployed(state.store, now)).changed).toBe(false);
        store = state.store;
      }
    }),
    { numRuns: 40 },
  );
});

describe('an authority that is rotated', () => {
  test('signs after the overlap; until then the former one does, and both are handed out', async () => {
    const first = await deployed(EMPTY_STORE, NOW);
    const rotated = await deployed(first.store, after(1), { authority: true });
    const [next, former] = rotated.bundle;
    expect(former).toBe(first.bundle[0]);
    expect(next).not.toBe(former);
    expect(rotated.leaf).not.toBe(first.leaf);
    expect(trusts(first.bundle, rotated.leaf)).toBe(true);
    const late = await deployed(rotated.store, after(1 + OVERLAP_DAYS));
    expect(late.bundle).toEqual([next]);
    expect(trusts(first.bundle, late.leaf)).toBe(false);
  });

  test('is not followed by a third one when the command is given again', async () => {
    const first = await deployed(EMPTY_STORE, NOW);
    const rotated = await deployed(first.store, after(1), { authority: true });
    const again = await deployed(rotated.store, after(2), { authority: true });
    expect(again.bundle).toEqual(rotated.bundle);
  });

  test('signs at once where nobody can believe the former one any more', async () => {
    const first = await deployed(EMPTY_STORE, NOW);
    const late = await deployed(first.store, after(4000));
    expect(late.bundle).toHaveLength(1);
    expect(late.bundle).not.toEqual(first.bundle);
    expect(trusts(late.bundle, late.leaf)).toBe(true);
  });
});

test('a leaf is good for at most 200 days, and not for longer than its authority', async () => {
  const endOf = (certificate = '') => Date.parse(new X509Certificate(certificate).validTo);
  const young = await deployed(EMPTY_STORE, NOW);
  expect((endOf(young.leaf) - NOW.getTime()) / DAY_MS).toBe(200);
  // The former authority ends ten days after this.
  const late = await deployed(young.store, after(3640));
  expect(trusts(young.bundle, late.leaf)).toBe(true);
  expect(endOf(late.leaf)).toBe(endOf(young.bundle[0]));
});

test('what an earlier release kept is read: its authority stays', async () => {
  const first = await deployed(EMPTY_STORE, NOW);
  const { formerCa, ...kept } = first.store;
  const then = await deployed(parseStore(JSON.stringify(kept)), after(1));
  expect([formerCa, then.changed]).toEqual([null, false]);
  expect([then.bundle, then.leaf]).toEqual([first.bundle, first.leaf]);
});
