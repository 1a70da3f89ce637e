import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { type CommandResult, execute, expectOk } from '../../../peers/src/command.ts';
import { goTool } from '../../support/go-tool.ts';
import { delos, delosJson, kubectl, TEST_CONFIG, testPlatform, token, upDocument } from '../../support/instance.ts';
import { makeChart } from '../../support/machine/chart.ts';
import { until } from '../../support/until.ts';

/*
 * The chart repository and kube-state-metrics as Pods of a platform that did not have them: helm itself uploads, finds, pulls and
 * installs; Prometheus asks kube-state-metrics, which is built from its own module. ChartMuseum's binary is not to be had: the
 * repository is the program `depot`, which answers as ChartMuseum does.
 */

let helm: string;
let work: string;
let origin: string;

beforeAll(async () => {
  helm = await goTool('helm', 'helm.sh/helm/v3/cmd/helm', 'v3.22.0');
  work = await mkdtemp(join(tmpdir(), 'delos-e2e-charts-'));
  await testPlatform();
  const config = join(work, 'delos.yaml');
  const services = '\nservices:\n  charts: { enabled: true, storage: 1Gi }\n  kubeStateMetrics: { enabled: true }\n';
  await writeFile(config, (await readFile(TEST_CONFIG, 'utf8')).replace('\nservices:\n', services));
  const up = await delosJson(upDocument, ['up', '--config', config], { timeout: 900 });
  origin = new URL(up.apiUrl).origin;
});
afterAll(() => rm(work, { recursive: true, force: true }));

const run = (...args: readonly string[]): Promise<CommandResult> =>
  execute([helm, ...args], { cwd: work, env: { PATH: '/usr/bin:/bin', HOME: work } });
const upload = async (user: string, project: string, archive: Buffer): Promise<number> => {
  const authorization = `Basic ${Buffer.from(`${user}:${await token(user)}`).toString('base64')}`;
  const to = `${origin}/charts/default/${project}/api/charts`;
  return (await fetch(to, { method: 'POST', headers: { authorization }, body: new Uint8Array(archive) })).status;
};

test('a chart is uploaded, found and pulled by helm, and no stranger has it; it is there when the Pod has gone', async () => {
  const archive = await makeChart(work, 'web', '1.0.0');
  expect(await upload('ann', 'default', archive)).toBe(201);
  expect(await upload('bob', 'default', archive)).toBe(404);
  await kubectl(['delete', 'pod', '--namespace', 'delos', 'charts-0', '--grace-period=0', '--force']);
  const at = `${origin}/charts/default/default`;
  const login = ['--username', 'ann', '--password', await token('ann')];
  await until('the repository answers', 60, async (last) => {
    const added = await run('repo', 'add', 'own', at, ...login, '--force-update');
    last(added.stderr);
    return added.code === 0 || undefined;
  });
  const found = JSON.parse(await expectOk(run('search', 'repo', 'own/web', '--output', 'json')));
  expect(found).toMatchObject([{ name: 'own/web', version: '1.0.0' }]);
  await mkdir(join(work, 'pulled'));
  await expectOk(run('pull', 'own/web', '--destination', join(work, 'pulled')));
  expect((await readFile(join(work, 'pulled/web-1.0.0.tgz'))).equals(archive)).toBe(true);
  expect(await expectOk(run('template', 'mine', 'own/web'))).toContain('kind: ConfigMap');
  const stranger = await run('repo', 'add', 'theirs', at, '--username', 'bob', '--password', await token('bob'));
  expect([stranger.code === 0, stranger.stderr]).toEqual([false, expect.stringContaining('404')]);
});

test('a chart lies in the registry beside images, pushed and pulled by helm', async () => {
  const host = new URL(origin).host;
  const plain = ['--plain-http'];
  await makeChart(work, 'oci', '2.0.0');
  await expectOk(run('registry', 'login', host, '--username', 'ann', '--password', await token('ann'), ...plain));
  await expectOk(run('push', 'oci-2.0.0.tgz', `oci://${host}/default/default`, ...plain));
  const pulled = await expectOk(run('pull', `oci://${host}/default/default/oci`, '--version', '2.0.0', ...plain));
  expect(pulled).toContain('2.0.0');
});

test('kube-state-metrics itself runs as a Pod, and Prometheus has what it tells of the platform, and nothing of users', async () => {
  const series = z.object({
    data: z.object({ result: z.array(z.object({ metric: z.record(z.string(), z.string()) })) }),
  });
  const query = async (text: string) => {
    const path = `/api/v1/namespaces/delos/services/prometheus:http/proxy/api/v1/query?query=${encodeURIComponent(text)}`;
    return series.parse(JSON.parse(await kubectl(['get', '--raw', path]))).data.result;
  };
  await until('Prometheus has series of it', 180, async () =>
    (await query('kube_statefulset_replicas{statefulset="charts"} == 1')).length === 1 ? true : undefined,
  );
  expect((await query('kube_node_status_condition{condition="Ready",status="true"} == 1')).length).toBe(1);
  const spaces = await query('count by (namespace) ({__name__=~"kube_(pod|statefulset|deployment).*"})');
  expect(spaces.map(({ metric }) => metric.namespace).filter((name) => !name?.startsWith('delos'))).toEqual([]);
  await expectOk(delos(['status']));
});
