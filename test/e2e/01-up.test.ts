import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { expectOk } from '../../peers/src/command.ts';
import { delos, delosJson, TEST_CONFIG, type TestPlatform, testPlatform, upDocument } from '../support/instance.ts';

const previewDocument = z.strictObject({
  changeSummary: z.record(z.string(), z.number()),
  steps: z.array(z.strictObject({ urn: z.string(), type: z.string(), op: z.string() })),
});

describe('delos up', () => {
  let platform: TestPlatform;
  beforeAll(async () => {
    platform = await testPlatform();
  });

  test('ends with the output of a real job and where to go on', () => {
    const { up } = platform;
    expect(up.firstJob.output).toContain('Hello');
    expect(up.firstJob.id).toMatch(/^job-[0-9a-f-]{36}$/);
    expect(up.apiUrl).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/api\/v1$/);
    expect(up.adminUser).toBe('admin');
    expect(up.changes.create).toBeGreaterThan(20);
    expect(up.phases.map(({ name }) => name)).toEqual([
      'preflight',
      'toolchain',
      'cluster',
      'images',
      'platform',
      'first job',
      'images of what comes later',
      'platform of what comes later',
    ]);
    for (const { seconds } of up.phases) expect(seconds).toBeGreaterThanOrEqual(0);
  });

  test('a second time changes nothing and reports the same first job', async () => {
    const again = await delosJson(upDocument, ['up']);
    expect(again.changes).toEqual({ same: again.changes.same, create: 0, update: 0, delete: 0, replace: 0 });
    expect(again.changes.same).toBeGreaterThan(20);
    expect(again.firstJob).toEqual(platform.up.firstJob);
    expect(again.apiUrl).toBe(platform.apiUrl);
    const total = again.phases.reduce((sum, { seconds }) => sum + seconds, 0);
    process.stderr.write(`second up: ${total.toFixed(1)} s\n`);
  });

  test('a changed replica count is exactly one update', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'delos-config-'));
    const changed = join(folder, 'changed.yaml');
    const text = await readFile(TEST_CONFIG, 'utf8');
    await writeFile(changed, text.replace('\nservices:\n', '\nservices:\n  gateway: { replicas: 2 }\n'));
    try {
      const up = await delosJson(upDocument, ['up', '--config', changed]);
      expect(up.changes).toMatchObject({ create: 0, update: 1, delete: 0, replace: 0 });
    } finally {
      const back = await delosJson(upDocument, ['up', '--config', TEST_CONFIG]);
      expect(back.changes).toMatchObject({ create: 0, update: 1, delete: 0, replace: 0 });
      await rm(folder, { recursive: true, force: true });
    }
  });

  test('a preview shows only `same`; a second one meanwhile is refused, and is told who runs', async () => {
    const both = await Promise.all([delos(['preview', '--json']), delos(['preview', '--json'])]);
    expect(both.map(({ code }) => code).sort()).toEqual([0, 8]);
    const shown = both.find(({ code }) => code === 0);
    const { changeSummary, steps } = previewDocument.parse(JSON.parse(shown?.stdout ?? ''));
    expect(Object.keys(changeSummary)).toEqual(['same']);
    expect(new Set(steps.map(({ op }) => op))).toEqual(new Set(['same']));
    expect(steps.filter(({ type }) => type === 'kubernetes:apps/v1:Deployment').length).toBeGreaterThanOrEqual(3);
    const refused = both.find(({ code }) => code === 8);
    expect(refused?.stderr).toMatch(/preview.*process \d+/s);
    expect(refused?.stderr).toContain('ERR_LOCKED');
  });

  test('status, logs, env, kubeconfig and kubectl find the instance', async () => {
    const status = await delosJson(z.looseObject({ up: z.boolean(), users: z.array(z.looseObject({})) }), ['status']);
    expect(status.up).toBe(true);
    expect(JSON.stringify(status)).not.toMatch(/"password"/);
    expect(await expectOk(delos(['logs', 'kubelet', '--tail', '5']))).not.toBe('');
    expect(await expectOk(delos(['logs', 'control-api', '--tail', '5']))).not.toBe('');
    const { code, stderr } = await delos(['logs', 'no-such-part']);
    expect(code).toBe(7);
    expect(stderr).toContain('control-api');
    expect(await expectOk(delos(['env']))).toMatch(/^export KUBECONFIG=/m);
    const { kubeconfig } = await delosJson(z.looseObject({ kubeconfig: z.string() }), ['cluster', 'kubeconfig']);
    expect(kubeconfig).toBe(platform.up.kubeconfig);
    const pass = await delos(['kubectl', 'get', 'nodes', '--json-that-is-no-flag']);
    expect(pass.code).toBe(1);
    expect(pass.stderr).toContain('unknown flag');
  });
});
