import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import type { SynthesizedObject } from '@delos/constructs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { marked, marksOf } from '../../../stacks/src/bridge/filled-config.ts';
import { certificateAuthority } from '../../../stacks/src/secrets/certificates.ts';
import { EMPTY_STORE, type SecretStore } from '../../../stacks/src/secrets/secret-store.ts';
import { completeSecrets, isOfAuthority } from '../../../stacks/src/secrets/store.ts';

const NOW = new Date('2026-11-24T00:00:00Z');
let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'delos-authorities-'));
  file = join(folder, 'site.pem');
});
afterEach(() => rm(folder, { recursive: true }));

const objectWith = (own: boolean, files: readonly string[] = [file]): SynthesizedObject => ({
  id: 'bundle',
  manifest: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'delos-authorities', namespace: 'delos' } },
  dependsOn: [],
  secrets: { 'ca.pem': { kind: 'authorities', files, own } },
});
async function bundleOf(own: boolean, store: SecretStore = EMPTY_STORE, rotate = false) {
  const rotation = rotate ? { authority: true } : undefined;
  const done = await completeSecrets([objectWith(own)], store, certificateAuthority, NOW, { rotation });
  return { text: done.values.get('bundle')?.['ca.pem'] ?? '', store: done.store };
}
const site = async (): Promise<string> => (await certificateAuthority.createCa(NOW)).certificate;
const count = (text: string): number => text.split('-----BEGIN CERTIFICATE-----').length - 1;

test('the bundle has the site’s authorities, the platform’s own and the public ones, each once', async () => {
  const given = await site();
  await writeFile(file, given + given);
  const { text, store } = await bundleOf(true);
  expect(text).toContain(given.trim());
  expect(text).toContain(store.ca?.certificate.trim());
  expect(count(text)).toBe(rootCertificates.length + 2);
});

test('without the platform’s own, none is made', async () => {
  await writeFile(file, await site());
  const { text, store } = await bundleOf(false);
  expect(store.ca).toBeNull();
  expect(count(text)).toBe(rootCertificates.length + 1);
  expect(isOfAuthority({ kind: 'authorities', files: [], own: false })).toBe(false);
});

test('while the platform’s authority is rotated, the bundle has both', async () => {
  await writeFile(file, await site());
  const before = await bundleOf(true);
  const after = await bundleOf(true, before.store, true);
  expect(after.text).toContain(before.store.ca?.certificate.trim());
  expect(after.store.ca?.certificate).not.toBe(before.store.ca?.certificate);
  expect(after.text).toContain(after.store.ca?.certificate.trim());
  expect(isOfAuthority({ kind: 'authorities', files: [], own: true })).toBe(true);
});

test('of a file nothing but certificates gets into a ConfigMap', async () => {
  const { certificate, key } = await certificateAuthority.createCa(NOW);
  await writeFile(file, `# ours\r\n${key}${certificate.replaceAll('\n', '\r\n')}`);
  const { text } = await bundleOf(true);
  expect(text).toContain(certificate.trim());
  expect(text).not.toMatch(/PRIVATE KEY|ours|\r/);
});

test.each([
  ['that is not there', undefined, /cannot be read \(ENOENT\)/],
  ['without a certificate', 'hello', /holds no certificate/],
  [
    'with a broken one',
    '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
    /holds a certificate that cannot be read/,
  ],
])('a file %s is refused with its name', async (_, content, words) => {
  if (content !== undefined) await writeFile(file, content);
  await expect(bundleOf(true)).rejects.toThrow(words);
  await expect(bundleOf(true)).rejects.toMatchObject({ where: { file, field: 'network.authorities' } });
});

test('a workload that mounts the bundle starts anew where it changes, and no other does', () => {
  const pods = (name: string) => ({
    spec: { template: { metadata: { labels: { a: 'b' } }, spec: { volumes: [{ name: 'a', configMap: { name } }] } } },
  });
  const marksFor = (text: string) => marksOf([objectWith(true)], new Map([['bundle', { 'ca.pem': text }]]));
  const with1 = marked(pods('delos-authorities'), 'delos', marksFor('1'));
  expect(with1).toMatchObject({ spec: { template: { metadata: { labels: { a: 'b' } } } } });
  expect(with1).toEqual(marked(pods('delos-authorities'), 'delos', marksFor('1')));
  expect(with1).not.toEqual(marked(pods('delos-authorities'), 'delos', marksFor('2')));
  expect(marked(pods('another'), 'delos', marksFor('1'))).toEqual(pods('another'));
  expect(marked(pods('delos-authorities'), 'elsewhere', marksFor('1'))).toEqual(pods('delos-authorities'));
});
