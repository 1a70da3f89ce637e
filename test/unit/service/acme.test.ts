import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { newKey } from '../../../runtime/service/src/acme/client.ts';
import { certificateRequest } from '../../../runtime/service/src/acme/der.ts';
import { AcmeStore, dueFor } from '../../../runtime/service/src/acme/store.ts';
import { certificateAuthority } from '../../../stacks/src/secrets/certificates.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'delos-acme-unit-'));
});
afterEach(() => rm(folder, { recursive: true }));

test('a request for a certificate is one for openssl, with many names too', async () => {
  const names = [
    'ai.example.com',
    '*.ai.example.com',
    ...Array.from({ length: 40 }, (_, nth) => `n${nth}.example.com`),
  ];
  const file = join(folder, 'request.der');
  await writeFile(file, certificateRequest(newKey(), names));
  const text = execFileSync('openssl', ['req', '-inform', 'DER', '-in', file, '-noout', '-text', '-verify'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  expect(text.match(/DNS:[^,\s]+/g)).toEqual(names.map((name) => `DNS:${name}`));
  expect(text).toMatch(/Subject:\s*$/m);
});

describe('what is kept', () => {
  test('is whole, its owner’s alone, and the same account at each start', async () => {
    const store = new AcmeStore(join(folder, 'data'));
    expect(await store.tryPair()).toBeUndefined();
    const pair = { certificate: 'C', key: 'K', directory: 'https://a.example/' };
    await store.keep(pair);
    expect(await new AcmeStore(join(folder, 'data')).tryPair()).toEqual(pair);
    const key = await store.accountKey('https://a.example/');
    expect(await new AcmeStore(join(folder, 'data')).accountKey('https://a.example/')).toBe(key);
    expect(await store.accountKey('https://b.example/')).not.toBe(key);
    for (const name of await readdir(join(folder, 'data'))) {
      expect(name).not.toContain('.next');
      expect((await stat(join(folder, 'data', name))).mode & 0o077).toBe(0);
    }
  });
});

test('a certificate is due without one, of another server, for other names, and in the last third of its time', async () => {
  const now = new Date('2026-01-01T00:00:00Z');
  const names = ['ai.example.com', '*.ai.example.com'];
  const ca = await certificateAuthority.createCa(now);
  const { certificate, key } = await certificateAuthority.createLeaf(ca, { dnsNames: names, ipAddresses: [] }, now);
  const pair = { certificate, key, directory: 'https://a.example/' };
  const wanted = { directory: 'https://a.example/', names };
  const end = Date.parse(new X509Certificate(certificate).validTo);
  expect(dueFor(undefined, wanted, now)).toBe('there is none yet');
  expect(dueFor(pair, { ...wanted, directory: 'https://b.example/' }, now)).toBe('it is of another server');
  expect(dueFor(pair, { ...wanted, names: [...names, '*.jobs.ai.example.com'] }, now)).toBe(
    'it is not for *.jobs.ai.example.com',
  );
  expect(dueFor(pair, wanted, now)).toBeUndefined();
  expect(dueFor(pair, wanted, new Date(end - 70 * 86_400_000))).toBeUndefined();
  expect(dueFor(pair, wanted, new Date(end - 60 * 86_400_000))).toBe('its time is nearly over');
});
