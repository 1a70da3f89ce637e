import { beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { execute } from '../support/command.ts';
import { delos, delosJson, kubectl, testPlatform } from '../support/instance.ts';
import { serviceProcesses } from '../support/node.ts';
import { until } from '../support/until.ts';

/** Tries TCP from inside a process's network namespace; the program is ours, so the image needs no shell. */
async function connectFrom(pid: number, host: string, port: number): Promise<string> {
  const code = `const s = require('node:net').connect({ host: '${host}', port: ${port} });
    s.setTimeout(4000, () => { console.log('silence'); process.exit(); });
    s.on('connect', () => { console.log('connected'); process.exit(); });
    s.on('error', (e) => { console.log(e.code); process.exit(); });`;
  return (await execute(['nsenter', '--net', '-t', String(pid), process.execPath, '-e', code])).stdout.trim();
}

describe('the control plane and Kubernetes', () => {
  let apiServer: { ip: string; port: number }[];
  beforeAll(async () => {
    await testPlatform();
    const slices = z
      .object({
        subsets: z.array(
          z.object({
            addresses: z.array(z.object({ ip: z.string() })),
            ports: z.array(z.object({ port: z.number() })),
          }),
        ),
      })
      .parse(JSON.parse(await kubectl(['get', 'endpoints', 'kubernetes', '-o', 'json'])));
    const service = await kubectl(['get', 'service', 'kubernetes', '-o', 'jsonpath={.spec.clusterIP}']);
    apiServer = [
      { ip: service, port: 443 },
      ...slices.subsets.flatMap(({ addresses, ports }) =>
        addresses.flatMap(({ ip }) => ports.map(({ port }) => ({ ip, port }))),
      ),
    ];
  });

  const processOf = (part: string): Promise<number> =>
    until(`${part} runs`, 60, async () => (await serviceProcesses(part))[0]?.pid);

  test.each(['control-api', 'scheduler'])('%s holds no Kubernetes token', async (part) => {
    const pods = z
      .object({
        items: z
          .array(
            z.object({
              spec: z.object({
                automountServiceAccountToken: z.boolean().optional(),
                volumes: z.array(z.looseObject({})).default([]),
              }),
            }),
          )
          .min(1),
      })
      .parse(
        JSON.parse(await kubectl(['get', 'pods', '-n', 'delos', '-l', `app.kubernetes.io/name=${part}`, '-o', 'json'])),
      );
    for (const { spec } of pods.items) {
      expect(spec.automountServiceAccountToken).toBe(false);
      expect(JSON.stringify(spec.volumes)).not.toContain('serviceAccountToken');
    }
    const pid = await processOf(part);
    const listing = await execute(['ls', `/proc/${pid}/root/var/run/secrets/kubernetes.io/serviceaccount`]);
    expect(listing.code).not.toBe(0);
    const environment = (await execute(['cat', `/proc/${pid}/environ`])).stdout;
    expect(environment).toContain('PGHOST');
    expect(environment.toLowerCase()).not.toContain('kubeconfig');
  });

  test.each(['control-api', 'scheduler'])('%s has no route to the API server, by Service or address', async (part) => {
    const pid = await processOf(part);
    for (const { ip, port } of apiServer) {
      expect(await connectFrom(pid, ip, port), `${part} → ${ip}:${port}`).not.toBe('connected');
    }
    // The same way of asking does connect where the policy allows it: the check above can fail.
    const postgres = await kubectl(['get', 'service', 'postgres', '-n', 'delos', '-o', 'jsonpath={.spec.clusterIP}']);
    expect(await connectFrom(pid, postgres, 5432)).toBe('connected');
  });

  test('only the agent reaches the API server', async () => {
    const [first] = apiServer;
    expect(await connectFrom(await processOf('agent'), first?.ip ?? '', first?.port ?? 0)).toBe('connected');
  });

  test('the agent may do no more than it has to: no secrets, no roles, not everything', async () => {
    const can = async (...args: string[]): Promise<string> =>
      (await delos(['kubectl', 'auth', 'can-i', ...args, '--as', 'system:serviceaccount:delos:agent'])).stdout.trim();
    expect(await can('list', 'nodes')).toBe('yes');
    expect(await can('get', 'secrets', '-n', 'delos')).not.toMatch(/^yes/);
    expect(await can('create', 'clusterrolebindings')).not.toMatch(/^yes/);
    expect(await can('*', '*', '-A')).not.toMatch(/^yes/);
  });

  test('internal addresses are not served to the outside', async () => {
    const { origin } = await testPlatform();
    for (const path of ['/internal/agent/v1/connect', '/metrics', '/health/ready', '/auth/admin/']) {
      const { status } = await fetch(origin + path, { redirect: 'manual' });
      expect(status, path).toBeGreaterThanOrEqual(400);
    }
  });

  test('every Pod of the platform is admitted by the restricted Pod Security level', async () => {
    const labels = await kubectl(['get', 'namespace', 'delos', '-o', 'jsonpath={.metadata.labels}']);
    expect(JSON.parse(labels)).toMatchObject({ 'pod-security.kubernetes.io/enforce': 'restricted' });
  });

  test('no secret is in a manifest, an argument or a log of ours', async () => {
    const secrets = z
      .object({ items: z.array(z.object({ data: z.record(z.string(), z.string()).default({}) })) })
      .parse(JSON.parse(await kubectl(['get', 'secrets', '-n', 'delos', '-o', 'json'])));
    const values = secrets.items
      .flatMap(({ data }) => Object.values(data))
      .map((value) => Buffer.from(value, 'base64').toString())
      .filter((value) => value.length >= 12 && !value.includes('CERTIFICATE'));
    expect(values.length).toBeGreaterThan(2);
    const seen = [
      await kubectl(['get', 'deployments,statefulsets,daemonsets,configmaps,pods', '-A', '-o', 'yaml']),
      (await execute(['ps', '-eo', 'args', '-ww'])).stdout,
    ];
    for (const part of ['control-api', 'scheduler', 'agent', 'gateway', 'keycloak', 'postgres']) {
      seen.push((await delosJson(z.looseObject({ text: z.string() }), ['logs', part])).text);
    }
    for (const value of values) for (const text of seen) expect(text.includes(value)).toBe(false);
  });
});
