import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DelosError } from '@delos/core';
import { type KubeAccess, kubeconfigAccess, libraryAccess, podAccess } from '@delos/kube';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { stringify } from 'yaml';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'delos-access-'));
});
afterEach(async () => {
  vi.useRealTimers();
  await rm(folder, { recursive: true, force: true });
});

async function kubeconfig(user: object, cluster: object = {}, more: object = {}): Promise<string> {
  const path = join(folder, 'config');
  const config = {
    'current-context': 'here',
    clusters: [{ name: 'c', cluster: { server: 'https://api.example:6443/', ...cluster } }],
    users: [
      { name: 'me', user },
      { name: 'somebody', user: { exec: { command: 'sign-in' } } },
    ],
    contexts: [
      { name: 'here', context: { cluster: 'c', user: 'me', namespace: 'ns' } },
      { name: 'lost', context: { cluster: 'none', user: 'me' } },
    ],
    ...more,
  };
  await writeFile(path, stringify(config));
  return path;
}

const base64 = (words: string): string => Buffer.from(words).toString('base64');
const shown = async (access: KubeAccess) => {
  const { ca, cert, key, ...rest } = await access.credentials();
  return { ...rest, ca: ca?.toString(), cert: cert?.toString(), key: key?.toString() };
};

describe('a kubeconfig', () => {
  beforeEach(async () => {
    for (const name of ['ca', 'cert', 'key', 'token']) await writeFile(join(folder, name), `${name} of a file\n`);
  });

  test.each<[string, object, object, object]>([
    ['a token', { token: 't' }, {}, { headers: { authorization: 'Bearer t' } }],
    ['a token in a file', { tokenFile: 'token' }, {}, { headers: { authorization: 'Bearer token of a file' } }],
    [
      'a client certificate within',
      { 'client-certificate-data': base64('cert'), 'client-key-data': base64('key') },
      { 'certificate-authority-data': base64('ca') },
      { ca: 'ca', cert: 'cert', key: 'key' },
    ],
    [
      'a client certificate in files, which are sought beside the kubeconfig',
      { 'client-certificate': 'cert', 'client-key': 'key' },
      { 'certificate-authority': 'ca' },
      { ca: 'ca of a file\n', cert: 'cert of a file\n', key: 'key of a file\n' },
    ],
    ['another name of the server', {}, { 'tls-server-name': 'api' }, { servername: 'api' }],
    ['a server that need not prove itself', {}, { 'insecure-skip-tls-verify': true }, { rejectUnauthorized: false }],
  ])('with %s is read', async (_with, user, cluster, credentials) => {
    const access = kubeconfigAccess(await kubeconfig(user, cluster));
    expect(access).toMatchObject({ server: 'https://api.example:6443', namespace: 'ns' });
    expect(await shown(access)).toEqual({ ca: undefined, cert: undefined, key: undefined, ...credentials });
  });

  test('is read by the official library in the same way', async () => {
    const path = await kubeconfig(
      { token: 't', 'client-certificate': 'cert', 'client-key': 'key' },
      { 'certificate-authority': 'ca' },
    );
    const [ours, theirs] = [kubeconfigAccess(path), await libraryAccess({ kubeconfig: path })];
    expect([theirs.server, theirs.namespace]).toEqual([ours.server, ours.namespace]);
    const { headers, ...rest } = await shown(theirs);
    const { headers: authorization, ...tls } = await shown(ours);
    expect(rest).toMatchObject(tls);
    expect(Object.entries(headers ?? {}).map(([name, value]) => [name.toLowerCase(), value])).toEqual(
      Object.entries(authorization ?? {}),
    );
  });

  test.each<[string, () => Promise<string>, string]>([
    ['is not there', async () => join(folder, 'nothing'), 'cannot be read'],
    ['is no YAML', () => written('a: [b'), 'is no YAML'],
    ['is none', () => written('a: b'), 'is no kubeconfig'],
    ['has no such context', () => kubeconfig({}, {}, { 'current-context': 'gone' }), 'has no context gone'],
    ['has a context of no cluster', () => kubeconfig({}, {}, { 'current-context': 'lost' }), 'has no context lost'],
    ['names a file that is not there', () => kubeconfig({ tokenFile: 'gone' }), 'gone cannot be read'],
    ['names a server that is no URL', () => kubeconfig({}, { server: 'api' }), 'server'],
    ['signs in by a command', () => kubeconfig({ exec: { command: 'x' } }), 'signs in by a command'],
    ['signs in by a plugin', () => kubeconfig({ 'auth-provider': { name: 'x' } }), 'signs in by a command or a plugin'],
  ])('that %s is refused with its reason', async (_rule, make, words) => {
    const path = await make();
    expect(() => kubeconfigAccess(path)).toThrow(
      expect.objectContaining({ code: 'ERR_CLUSTER_UNREACHABLE', message: expect.stringContaining(words) as string }),
    );
  });

  async function written(words: string): Promise<string> {
    await writeFile(join(folder, 'config'), words);
    return join(folder, 'config');
  }
});

describe('a Pod’s own account', () => {
  const env = { KUBERNETES_SERVICE_HOST: '10.0.0.1', KUBERNETES_SERVICE_PORT: '443' };
  const account = async (files: Readonly<Record<string, string>>): Promise<void> => {
    await mkdir(folder, { recursive: true });
    for (const [name, words] of Object.entries(files)) await writeFile(join(folder, name), words);
  };

  test.each([
    ['10.0.0.1', 'https://10.0.0.1:443'],
    ['fd00::1', 'https://[fd00::1]:443'],
  ])('of the API server %s asks %s, with the token and namespace that are mounted', async (host, server) => {
    await account({ 'ca.crt': 'ca\n', token: 't\n', namespace: 'ns\n' });
    const access = await podAccess({ ...env, KUBERNETES_SERVICE_HOST: host }, folder);
    expect(access).toMatchObject({ server, namespace: 'ns' });
    expect(await access.credentials()).toEqual({ ca: 'ca', headers: { authorization: 'Bearer t' } });
  });

  test('has another token within the hour, which is taken up', async () => {
    await account({ 'ca.crt': 'ca', token: 'old' });
    const access = await podAccess(env, folder);
    await account({ token: 'new' });
    expect(await access.credentials()).toMatchObject({ headers: { authorization: 'Bearer old' } });
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 61_000 });
    expect(await access.credentials()).toMatchObject({ headers: { authorization: 'Bearer new' } });
  });

  test.each([
    ['outside of a Pod', {}, 'no Kubernetes API server is configured'],
    ['without a token', env, 'token cannot be read'],
  ])('%s there is none', async (_where, given, words) => {
    await account({ 'ca.crt': 'ca' });
    const error = await podAccess(given, folder).catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(DelosError);
    expect(error).toMatchObject({ code: 'ERR_CONFIG_NOT_FOUND', message: expect.stringContaining(words) as string });
  });
});
