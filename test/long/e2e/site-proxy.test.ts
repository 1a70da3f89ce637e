import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ApoloClient } from '../../../peers/src/apolo.ts';
import { expectOk } from '../../../peers/src/command.ts';
import { LOGIN, OUTSIDE } from '../../support/egress/site.ts';
import { deploySite, SITE_PROXY, seenBySite } from '../../support/egress/site-pod.ts';
import { delos, kubectl, loggedIn, TEST_CONFIG, testPlatform } from '../../support/instance.ts';
import { IMAGE } from '../../support/service/api.ts';
import { until } from '../../support/until.ts';

/*
 * A platform in a network that lets nothing out but by a proxy with a login, whose server outside has a certificate of the
 * site's own authority: what jobs and Alertmanager get to, and what they do not.
 */

let folder: string;
let ann: ApoloClient;

beforeAll(async () => {
  await testPlatform();
  folder = await mkdtemp(join(tmpdir(), 'delos-site-'));
  await writeFile(join(folder, 'site.pem'), await deploySite());
  await writeFile(join(folder, 'login'), `${LOGIN}\n`, { mode: 0o600 });
  const network = `
network:
  proxy: {http: '${SITE_PROXY}', no: [.site.svc.cluster.local], credentials: {file: ${folder}/login}}
  authorities: [${folder}/site.pem]
  jobs: {proxy: true}
notifications:
  webhooks: [{name: ops, url: 'https://${OUTSIDE}/alerts'}]
`;
  await writeFile(join(folder, 'delos.yaml'), (await readFile(TEST_CONFIG, 'utf8')) + network);
  await expectOk(delos(['up', '--config', join(folder, 'delos.yaml')]));
  ann = await loggedIn('ann');
});
afterAll(async () => {
  await ann?.close();
  if (folder !== undefined) {
    // Other files of the run have the platform as it was.
    await expectOk(delos(['up', '--config', TEST_CONFIG]));
    await kubectl(['delete', 'namespace', 'site']);
    await rm(folder, { recursive: true });
  }
});

const run = (...command: readonly string[]) => ann.run(['run', '-s', 'small', IMAGE, '--', ...command]);

describe('a job', () => {
  test('reaches a server outside by curl and by Python, with what it finds in its environment alone', async () => {
    expect(await run('curl', '-sS', `https://${OUTSIDE}/by-curl`)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('hello from outside'),
    });
    const python = `import urllib.request as r; print(r.urlopen("https://${OUTSIDE}/by-python").read().decode())`;
    expect(await run('python3', '-c', python)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('hello from outside'),
    });
    const seen = await seenBySite();
    expect(seen).toContain('{"heard":"/by-curl","body":""}');
    expect(seen).toContain('{"heard":"/by-python","body":""}');
  });

  test('finds no login, and the public authorities beside the site’s', async () => {
    const { stdout } = await run('sh', '-c', 'env; grep -c BEGIN /etc/delos-authorities/ca.pem');
    expect(stdout).toContain('HTTPS_PROXY=http://egress.delos.svc.cluster.local:3129');
    expect(stdout).not.toContain('s3cret');
    expect(Math.max(...(stdout.match(/^\d+$/gm) ?? ['0']).map(Number))).toBeGreaterThan(100);
  });

  test('does not get into the cluster by it', async () => {
    const command = 'curl -sS --noproxy "" --max-time 20 https://control-api.delos.svc.cluster.local:8081/ 2>&1; true';
    expect((await run('sh', '-c', command)).stdout).toContain('403');
    expect(await seenBySite()).not.toContain('control-api');
  });

  test('that starts after the authority was rotated trusts both', async () => {
    const count = async (): Promise<number> => {
      const { stdout } = await run('grep', '-c', 'BEGIN', '/etc/delos-authorities/ca.pem');
      return Math.max(...(stdout.match(/^\d+$/gm) ?? ['0']).map(Number));
    };
    const before = await count();
    await expectOk(delos(['rotate', 'tls', '--authority']));
    await until('jobs trust one authority more', 180, async (last) => {
      const now = await count();
      last(now);
      return now === before + 1 || undefined;
    });
  });
});

test('Alertmanager tells a webhook outside', async () => {
  const alert = [{ labels: { alertname: 'SiteProxyAway', job: 'egress', severity: 'critical' } }];
  const body = JSON.stringify(alert);
  // Prometheus alone may talk to Alertmanager, and its image has a shell and no client.
  const lines = ['POST /api/v2/alerts HTTP/1.1', 'Host: alertmanager', 'Content-Type: application/json'];
  const request = [...lines, `Content-Length: ${body.length}`, 'Connection: close', '', body].join('\r\n');
  const post = 'exec 3<>/dev/tcp/alertmanager.delos.svc.cluster.local/9093; printf %s "$0" >&3; cat <&3';
  await until('Alertmanager takes an alert', 60, async (last) => {
    const args = ['kubectl', 'exec', '--namespace', 'delos', 'prometheus-0', '--', 'bash', '-c', post, request];
    const { stdout, stderr } = await delos(args);
    last(stdout + stderr);
    return stdout.startsWith('HTTP/1.1 200') || undefined;
  });
  const seen = await until('the webhook is told', 120, async (last) => {
    const all = await seenBySite();
    last(all);
    return all.includes('"heard":"/alerts"') ? all : undefined;
  });
  expect(seen).toContain('SiteProxyAway');
});

test('nothing but the way out talks to the proxy, and no login is in a manifest or an environment', async () => {
  const all = await kubectl(['get', 'pods,deployments,statefulsets,configmaps', '--all-namespaces', '-o', 'yaml']);
  expect(all).not.toContain('s3cret');
  expect(all).not.toContain(Buffer.from(LOGIN).toString('base64'));
});
