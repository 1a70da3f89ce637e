import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SecretSource, SynthesizedObject } from '@delos/constructs';
import { keySetOf } from '@delos/core';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { certificateAuthority } from '../../../stacks/src/secrets/certificates.ts';
import { EMPTY_STORE, type SecretStore } from '../../../stacks/src/secrets/secret-store.ts';
import { completeSecrets } from '../../../stacks/src/secrets/store.ts';

const NOW = new Date('2026-11-24T00:00:00Z');
const later = (days: number): Date => new Date(NOW.getTime() + days * 86_400_000);

const secret = (
  name: string,
  secrets: Readonly<Record<string, SecretSource>>,
  namespace = 'delos',
): SynthesizedObject => ({
  id: `${namespace}/${name}`,
  manifest: { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace } },
  dependsOn: [],
  secrets,
});

const leaf = { leaf: 'gateway', dnsNames: ['delos.example'], ipAddresses: ['127.0.0.1'] };
const tls = secret('tls', {
  'tls.crt': { kind: 'certificate', ...leaf },
  'tls.key': { kind: 'certificate-key', ...leaf },
  'ca.crt': { kind: 'ca-certificate' },
});
const complete = (objects: readonly SynthesizedObject[], store: SecretStore = EMPTY_STORE, now = NOW) =>
  completeSecrets(objects, store, certificateAuthority, now);

describe('a secret in a file', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'delos-secret-file-'));
  });
  afterEach(() => rm(folder, { recursive: true }));
  const of = (path: string) => [secret('db', { value: { kind: 'file', path } })];

  test('is read at each run and kept nowhere', async () => {
    const path = join(folder, 'password');
    await writeFile(path, 'first\n');
    const first = await complete(of(path));
    expect(first.values.get('delos/db')).toEqual({ value: 'first' });
    expect(first.changed).toBe(false);
    expect(JSON.stringify(first.store)).not.toContain('first');
    await writeFile(path, 'second');
    expect((await complete(of(path), first.store)).values.get('delos/db')).toEqual({ value: 'second' });
  });

  test.each([
    ['that is not there', undefined, 'cannot be read (ENOENT)'],
    ['that is empty', '\n', 'holds nothing'],
    ['that is no text', Buffer.from([0xff, 0xfe]), 'is no text in UTF-8'],
    ['larger than a Secret', Buffer.alloc(2 ** 20 + 1, 'a'), 'has 1048577 bytes, and a Secret holds 1048576'],
  ])('%s is refused with its name', async (_, content, words) => {
    const path = join(folder, 'password');
    if (content !== undefined) await writeFile(path, content);
    await expect(complete(of(path))).rejects.toThrow(`the secret file ${path} ${words}`);
  });
});

describe('passwords', () => {
  test('are made once: a second run has nothing to keep', async () => {
    const objects = [secret('db', { password: { kind: 'password' }, short: { kind: 'password', length: 12 } })];
    const first = await complete(objects);
    expect(first.changed).toBe(true);
    const values = first.values.get('delos/db');
    expect(values?.password).toMatch(/^[\w-]{32}$/);
    expect(values?.short).toMatch(/^[\w-]{12}$/);
    const second = await complete(objects, first.store);
    expect(second.changed).toBe(false);
    expect(second.values).toEqual(first.values);
  });

  test('of a key that its Secret lost are forgotten; those of a Secret that is gone are kept', async () => {
    const users = (...names: readonly string[]) =>
      secret('users', Object.fromEntries(names.map((name) => [name, { kind: 'password' } as const])));
    const db = secret('db', { password: { kind: 'password' } });
    const first = await complete([users('ann', 'zoe'), db]);
    const without = await complete([users('ann')], first.store);
    expect(without.changed).toBe(true);
    const again = await complete([users('ann', 'zoe'), db], without.store);
    const of = ({ values }: typeof first, id: string, key: string) => values.get(id)?.[key];
    expect(of(again, 'delos/users', 'ann')).toBe(of(first, 'delos/users', 'ann'));
    expect(of(again, 'delos/db', 'password')).toBe(of(first, 'delos/db', 'password'));
    expect(of(again, 'delos/users', 'zoe')).not.toBe(of(first, 'delos/users', 'zoe'));
  });

  test('of other namespaces or names are others', async () => {
    const of = (name: string, namespace: string) => secret(name, { key: { kind: 'password' } }, namespace);
    const { values } = await complete([of('a', 'x'), of('a', 'y'), of('b', 'x')]);
    expect(new Set([...values.values()].map(({ key }) => key)).size).toBe(3);
  });

  test('that repeat another Secret’s key are that key’s value, in another namespace too', async () => {
    const { values } = await complete([
      secret('copy', { token: { kind: 'same-as', ref: 'original/token' } }, 'delos-node'),
      secret('original', { token: { kind: 'password' } }),
    ]);
    expect(values.get('delos-node/copy')?.token).toBe(values.get('delos/original')?.token);
  });

  test('that repeat a key of the same name are the key’s value in the namespace that is named', async () => {
    const { values } = await complete([
      secret('shared', { token: { kind: 'same-as', namespace: 'delos', ref: 'shared/token' } }, 'delos-node'),
      secret('shared', { token: { kind: 'password' } }),
    ]);
    expect(values.get('delos-node/shared')?.token).toMatch(/^.{32}$/);
    expect(values.get('delos-node/shared')?.token).toBe(values.get('delos/shared')?.token);
  });

  test.each([
    ['nothing', [secret('copy', { k: { kind: 'same-as', ref: 'gone/k' } })], 'found 0 of that name'],
    ['each other', [secret('a', { k: { kind: 'same-as', ref: 'a/k' } })], 'secrets refer to each other'],
  ] as const)('that repeat %s are refused', async (_, objects, message) => {
    await expect(complete(objects)).rejects.toThrow(message);
  });
});

describe('a key that signs', () => {
  const objects = [
    secret('public', { keys: { kind: 'signing-key-set', ref: 'private/key' } }),
    secret('private', { key: { kind: 'signing-key' } }),
  ];
  test('is made once, and its public half is a file of its own', async () => {
    const first = await complete(objects);
    const { key = '' } = first.values.get('delos/private') ?? {};
    expect(createPrivateKey(key).asymmetricKeyDetails).toEqual({ namedCurve: 'prime256v1' });
    expect(first.values.get('delos/public')?.keys).toBe(keySetOf(key));
    expect(keySetOf(key)).not.toContain('"d"');
    const second = await complete(objects, first.store);
    expect(second.changed).toBe(false);
    expect(second.values).toEqual(first.values);
  });

  test('has a file of both public halves while it is rotated', async () => {
    const rotated = [objects[0], secret('private', { key: { kind: 'signing-key', rotation: { kind: 'overlap' } } })];
    const addresses = ['delos/private/key'];
    const step = async (store: SecretStore, to: 'next' | 'former' | 'done') => {
      const turn = { addresses, to };
      return completeSecrets(rotated as never, store, certificateAuthority, new Date(), { turn });
    };
    const made = await complete(rotated as never);
    const next = await step(made.store, 'next');
    const own = next.values.get('delos/private') ?? {};
    expect(next.values.get('delos/public')?.keys).toBe(keySetOf(own.key ?? '', own['key.next'] ?? ''));
    const former = await step(next.store, 'former');
    expect(former.values.get('delos/public')?.keys).toBe(keySetOf(own['key.next'] ?? '', own.key ?? ''));
    const done = await step(former.store, 'done');
    expect(done.values.get('delos/public')?.keys).toBe(keySetOf(own['key.next'] ?? ''));
  });
});

describe('certificates', () => {
  test('are of the instance’s own authority, for the names asked, with their key', async () => {
    const { values } = await complete([tls]);
    const { 'tls.crt': crt = '', 'tls.key': key = '', 'ca.crt': ca = '' } = values.get('delos/tls') ?? {};
    const certificate = new X509Certificate(crt);
    const authority = new X509Certificate(ca);
    expect(authority.ca).toBe(true);
    expect(certificate.checkIssued(authority)).toBe(true);
    expect(certificate.verify(authority.publicKey)).toBe(true);
    expect(certificate.checkPrivateKey(createPrivateKey(key))).toBe(true);
    expect(certificate.checkHost('delos.example')).toBe('delos.example');
    expect(certificate.checkHost('other.example')).toBeUndefined();
    expect(certificate.checkIP('127.0.0.1')).toBe('127.0.0.1');
  });

  test.each([
    ['young ones are kept', 133, false, false],
    ['a leaf in the last third of its life is made anew, its authority stays', 134, true, false],
    ['an authority in the last third of its life is followed by another', 2600, true, true],
  ])('%s', async (_, days, leafChanges, authorityChanges) => {
    const first = await complete([tls]);
    const then = await complete([tls], first.store, later(days));
    expect(then.store.leaves.gateway?.certificate !== first.store.leaves.gateway?.certificate).toBe(leafChanges);
    expect(then.store.ca?.certificate !== first.store.ca?.certificate).toBe(authorityChanges);
    expect(then.changed).toBe(leafChanges);
  });

  test('for other names than before are made anew', async () => {
    const first = await complete([tls]);
    const wider = secret('tls', { 'tls.crt': { kind: 'certificate', ...leaf, dnsNames: ['other.example'] } });
    const then = await complete([wider], first.store);
    expect(
      new X509Certificate(then.values.get('delos/tls')?.['tls.crt'] ?? '').checkHost('other.example'),
    ).toBeTruthy();
    expect(then.store.ca).toEqual(first.store.ca);
  });
});
