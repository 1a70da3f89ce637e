import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ADDON_USERS, instancePaths } from '@delos/core';
import { beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { asUser, lookAs } from '../support/cluster/local-user.ts';
import { serviceProcesses } from '../support/cluster/node.ts';
import { kubectl, TEST_INSTANCE, testPlatform } from '../support/instance.ts';
import { TEST_SERVICES } from '../support/test-services.ts';
import { until } from '../support/until.ts';

/* What other users of the machine find out about the platform that runs on it. */

const { state } = instancePaths(TEST_INSTANCE, process.env);
const NAMESPACES = ['delos', 'delos-node', 'kube-system'];
const LABELS = ['app.kubernetes.io/name', 'k8s-app', 'app'];

const podList = z.object({
  items: z.array(z.object({ metadata: z.object({ labels: z.record(z.string(), z.string()).default({}) }) })),
});

/** Name of each part to the user that it runs as. */
const USERS = new Map([
  ...Object.entries(ADDON_USERS),
  ...TEST_SERVICES.map(({ name, user }) => [name, user] as const),
]);

interface Part {
  readonly name: string;
  readonly pids: readonly number[];
}

/** Every part with a Pod in a namespace of the platform or of the node's add-ons, and its processes. */
async function runningParts(): Promise<readonly Part[]> {
  const found: Part[] = [];
  for (const namespace of NAMESPACES) {
    const { items } = podList.parse(JSON.parse(await kubectl(['get', 'pods', '-n', namespace, '-o', 'json'])));
    for (const { metadata } of items) {
      const label = LABELS.find((key) => metadata.labels[key] !== undefined);
      // A helper that makes a volume: it is there for a moment, and has no secret.
      if (label === undefined) continue;
      const value = metadata.labels[label] ?? '';
      const name = value === 'kube-dns' ? 'coredns' : value;
      if (found.some((part) => part.name === name)) continue;
      const processes = await serviceProcesses(value, namespace, label);
      found.push({ name, pids: processes.map(({ pid }) => pid) });
    }
  }
  return found;
}

/** Values that nobody else may see: of all Secrets, and of the instance's own files. */
async function secretValues(): Promise<readonly string[]> {
  const secrets = z
    .object({ items: z.array(z.object({ data: z.record(z.string(), z.string()).default({}) })) })
    .parse(JSON.parse(await kubectl(['get', 'secrets', '-A', '-o', 'json'])));
  const values = secrets.items
    .flatMap(({ data }) => Object.values(data))
    .map((value) => Buffer.from(value, 'base64').toString('latin1').trim());
  const pki = join(state, 'cluster/pki');
  const keys = (await readdir(pki)).filter((name) => name.endsWith('.key')).map((name) => join(pki, name));
  const files = await Promise.all([join(state, 'pulumi/passphrase'), ...keys].map((file) => readFile(file, 'utf8')));
  return [...values, ...files.map((file) => file.trim())].filter(
    (value) => value.length >= 12 && !value.includes('BEGIN CERTIFICATE'),
  );
}

/** A file of each process under /proc. Some have ended since they were listed: PostgreSQL has one for each connection. */
async function contents(pids: readonly number[], file: string): Promise<readonly { pid: number; content: string }[]> {
  const read = pids.map(async (pid) => {
    try {
      return [{ pid, content: await readFile(`/proc/${pid}/${file}`, 'latin1') }];
    } catch (error) {
      if (/ENOENT|ESRCH/.test(String(error))) return [];
      throw error;
    }
  });
  return (await Promise.all(read)).flat();
}

describe('on the machine', () => {
  let parts: readonly Part[];
  let pids: readonly number[];
  let secrets: readonly string[];

  beforeAll(async () => {
    await testPlatform();
    parts = await until('every part has a process', 120, async () => {
      const all = await runningParts();
      return all.every((part) => part.pids.length > 0) ? all : undefined;
    });
    pids = parts.flatMap((part) => part.pids);
    secrets = await secretValues();
    expect(secrets.length).toBeGreaterThan(10);
  });

  test('every part that runs is known by name', () => {
    expect(parts.map(({ name }) => name).toSorted()).toEqual([...USERS.keys()].toSorted());
  });

  test('each part’s processes run as the part’s own user and group', async () => {
    for (const { name, pids: own } of parts) {
      const user = USERS.get(name);
      const statuses = await contents(own, 'status');
      expect(statuses.length, name).toBeGreaterThan(0);
      for (const { pid, content } of statuses) {
        const ids = [...content.matchAll(/^[UG]id:\t(.*)$/gm)].flatMap(([, line = '']) => line.split('\t'));
        expect([...new Set(ids)], `${name}, process ${pid}`).toEqual([String(user)]);
      }
    }
  });

  test('no process has a secret in its environment or its arguments, even for root to see', async () => {
    for (const file of ['environ', 'cmdline']) {
      const read = await contents(pids, file);
      expect(read.length).toBeGreaterThanOrEqual(parts.length);
      for (const { content } of read) expect(secrets.filter((secret) => content.includes(secret))).toHaveLength(0);
    }
  });

  test.each([1000, 65534, 65532, 999])(
    'user %i opens no process and no folder of it, and finds no secret',
    async (uid) => {
      const folders = [state, join(state, 'cluster/kubelet'), join(state, 'cluster/volumes'), '/var/lib/kubelet'];
      const { opened, content } = await lookAs(uid, pids, folders);
      expect(opened).toEqual([]);
      // Arguments are everyone's to read: that something was looked at shows here.
      expect(content).toContain('delos-runtime.mjs');
      expect(secrets.filter((secret) => content.includes(secret))).toHaveLength(0);
    },
  );

  test('the same look finds the secret of a process of the same user', async () => {
    const secret = 'a-secret-that-is-easily-found';
    const child = asUser(1000, ['sleep', '300'], { SECRET: secret });
    const pid = child.pid ?? 0;
    try {
      await until('it runs', 10, async () =>
        (await readFile(`/proc/${pid}/cmdline`, 'utf8')).startsWith('sleep') ? true : undefined,
      );
      const { opened, content } = await lookAs(1000, [pid], []);
      expect(opened).toContain(`/proc/${pid}/environ`);
      expect(content).toContain(secret);
    } finally {
      child.kill('SIGKILL');
    }
  });
});
