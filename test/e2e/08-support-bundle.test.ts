import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { delosJson, kubectl, testPlatform, token } from '../support/instance.ts';
import { api } from '../support/service/api.ts';

/* A file for whoever helps, made of a platform that has secrets in all the places where people put them. */

const fresh = (): string => randomBytes(18).toString('base64url');
const SEEDS = { secret: fresh(), variable: fresh(), argument: fresh(), token: '' };
const document = z.object({
  file: z.string(),
  files: z.array(z.object({ path: z.string() })),
  leftOut: z.array(z.object({ path: z.string(), why: z.string() })),
});

const folder = mkdtempSync(join(tmpdir(), 'delos-support-'));
let files: ReadonlyMap<string, string>;
let left: z.infer<typeof document>['leftOut'];
let job: string;

beforeAll(async () => {
  await testPlatform();
  await kubectl(['create', 'secret', 'generic', 'seed', '-n', 'delos', `--from-literal=password=${SEEDS.secret}`]);
  const platform = await api('ann');
  SEEDS.token = await token('ann');
  const command = `sh -c "echo ${SEEDS.argument}; sleep 600"`;
  const made = await platform.create({ command, env: { API_KEY: SEEDS.variable } });
  job = made.id;
  await platform.running(job);
  const out = join(folder, 'all.tar.gz');
  const bundle = await delosJson(document, ['support-bundle', '--out', out]);
  left = bundle.leftOut;
  await platform.call('DELETE', `/jobs/${job}`);
  expect(statSync(out).mode & 0o777).toBe(0o600);
  execFileSync('tar', ['-xzf', out, '-C', folder]);
  rmSync(out);
  const names = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  files = new Map(
    names.map(({ parentPath, name }) => {
      const path = join(parentPath, name);
      return [path.slice(folder.length + 1), readFileSync(path, 'utf8')];
    }),
  );
});
afterAll(async () => {
  await kubectl(['delete', 'secret', 'seed', '-n', 'delos', '--ignore-not-found']);
  rmSync(folder, { recursive: true, force: true });
});

test('has status, findings, objects and logs of every service, and says what it lacks', () => {
  const names = [...files.keys()];
  for (const path of ['status.json', 'preflight.json', 'config.json', 'cluster/nodes.json', 'cluster/events.txt']) {
    expect(names).toContain(path);
  }
  for (const service of ['control-api', 'scheduler', 'agent', 'gateway', 'keycloak', 'postgres']) {
    expect(names.some((name) => name.startsWith(`logs/delos/${service}-`))).toBe(true);
  }
  expect(names.some((name) => name.startsWith('logs/node/'))).toBe(true);
  expect(files.get('cluster/pods.json')).toContain(job);
  expect(left.filter(({ path }) => !path.endsWith('.previous.log'))).toEqual([]);
});

test('holds no secret: of the platform, of a job, of a person', async () => {
  const list = z.object({ items: z.array(z.object({ data: z.record(z.string(), z.string()).default({}) })) });
  const { items } = list.parse(JSON.parse(await kubectl(['get', 'secrets', '-A', '-o', 'json'])));
  const known = items.flatMap(({ data }) =>
    Object.entries(data).flatMap(([key, value]) =>
      /^(ca|tls)\.crt$/.test(key) ? [] : [value, Buffer.from(value, 'base64').toString()],
    ),
  );
  expect(known.length).toBeGreaterThan(20);
  for (const [path, text] of files) {
    for (const [name, value] of Object.entries(SEEDS)) expect(text.includes(value), `${name} in ${path}`).toBe(false);
    expect(known.filter((value) => value.length >= 8 && text.includes(value)).length, path).toBe(0);
    expect(text, path).not.toMatch(/-----BEGIN [A-Z ]*PRIVATE KEY-----/);
  }
});
