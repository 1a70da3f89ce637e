import { X509Certificate } from 'node:crypto';
import { updateDns } from '@delos/core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { AcmeClient, type ChallengeRecord, newKey } from '../../../runtime/service/src/acme/client.ts';
import { type StepCa, startStepCa } from '../../support/acme/step-ca.ts';
import { ask } from '../../support/dns/ask.ts';
import { type Knot, startKnot } from '../../support/dns/knot.ts';

/* The client of ACME at a step-ca as sites run it, which is built for this test. */

const NAMES = ['ai.example.com', '*.ai.example.com', '*.jobs.ai.example.com', '*.apps.ai.example.com'];
let knot: Knot;
let ca: StepCa;

beforeAll(async () => {
  knot = await startKnot('example.com');
  ca = await startStepCa(`127.0.0.1:${knot.port}`, '10m');
}, 1_800_000);
afterAll(async () => {
  await ca?.stop();
  await knot?.stop();
});

function clientWith(accountKey: string, publishes = true): AcmeClient {
  const at = { server: '127.0.0.1', port: knot.port, zone: 'example.com', key: knot.key };
  const change = (kind: 'add-text' | 'remove-text') => (records: readonly ChallengeRecord[]) =>
    updateDns(
      at,
      records.map(({ name, text }) => ({ kind, name, text })),
    );
  return new AcmeClient({
    ...{ directory: ca.directory, accountKey, email: 'ops@example.com', termsAccepted: true },
    publish: publishes ? change('add-text') : async () => undefined,
    withdraw: publishes ? change('remove-text') : async () => undefined,
    authorities: ca.authority,
    signal: AbortSignal.timeout(300_000),
  });
}

test('a certificate for all levels of names, twice by one account, with another key each time', async () => {
  const account = newKey();
  const first = await clientWith(account).obtain(NAMES);
  const second = await clientWith(account).obtain(NAMES);
  for (const { certificate, key } of [first, second]) {
    const leaf = new X509Certificate(certificate);
    expect(leaf.subjectAltName?.split(', ').sort()).toEqual(NAMES.map((name) => `DNS:${name}`).sort());
    expect(leaf.verify(new X509Certificate(ca.authority).publicKey)).toBe(true);
    const { createPrivateKey } = await import('node:crypto');
    expect(leaf.checkPrivateKey(createPrivateKey(key))).toBe(true);
  }
  expect(second.key).not.toBe(first.key);
  const { records } = await ask({ port: knot.port }, '_acme-challenge.ai.example.com', 16);
  expect(records.filter(({ type }) => type === 16)).toEqual([]);
});

test('none without the records, and the server’s own words', async () => {
  await expect(clientWith(newKey(), false).obtain(NAMES)).rejects.toThrow(/was not confirmed|not looked at/);
});
