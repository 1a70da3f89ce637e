import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type Server } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { JOINED_PREFIX, joinText } from '@delos/core';
import { freePort } from '@delos/host';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { certificateAuthority } from '../../../stacks/src/secrets/certificates.ts';
import { joinToken, startTwoReplicas, type TwoReplicas } from '../../support/clusters/two-replicas.ts';
import { until } from '../../support/until.ts';

/*
 * Agent and collector as a cluster that has joined runs them: processes, over TLS, by an authority of the platform's own. They
 * find no Kubernetes API, and keep trying.
 */

const MAIN = fileURLToPath(new URL('../../../runtime/service/src/main.ts', import.meta.url));

let platform: TwoReplicas;
let folder: string;
let gateway: Server;
let url: string;
const children: ChildProcess[] = [];

beforeAll(async () => {
  platform = await startTwoReplicas();
  folder = await mkdtemp(join(tmpdir(), 'delos-joined-'));
  const ca = await certificateAuthority.createCa(new Date());
  const leaf = await certificateAuthority.createLeaf(ca, { dnsNames: [], ipAddresses: ['127.0.0.1'] }, new Date());
  await writeFile(join(folder, 'ca.pem'), ca.certificate);
  const { hostname, port } = new URL(platform.second.address);
  gateway = createServer({ cert: leaf.certificate, key: leaf.key }, (socket) => {
    const there = connect(Number(port), hostname);
    for (const [one, other] of [
      [socket, there],
      [there, socket],
    ] as const) {
      one.on('error', () => other.destroy());
      one.pipe(other);
    }
  });
  const own = await freePort();
  await new Promise<void>((resolve) => gateway.listen(own, '127.0.0.1', resolve));
  url = `https://127.0.0.1:${own}`;
});
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  gateway?.close();
  await platform?.stop();
  if (folder !== undefined) await rm(folder, { recursive: true, force: true });
});

const OFFER = {
  pools: [{ name: 'hall' }],
  presets: [{ name: 'hall-small', cpu: 1, memory: '1Gi' }],
  scheduling: { minRunSeconds: 0 },
};
const KUBECONFIG = `apiVersion: v1
kind: Config
current-context: none
contexts: [{name: none, context: {cluster: none, user: none}}]
clusters: [{name: none, cluster: {server: 'http://127.0.0.1:9'}}]
users: [{name: none, user: {}}]
`;

async function start(service: 'agent' | 'collector', trusts: boolean): Promise<() => Promise<string>> {
  const port = await freePort();
  const child = spawn(process.execPath, [MAIN, service], {
    env: {
      PATH: process.env.PATH ?? '',
      ...(trusts ? { NODE_EXTRA_CA_CERTS: join(folder, 'ca.pem') } : {}),
      DELOS_API_URL: url,
      DELOS_AGENT_PREFIX: JOINED_PREFIX,
      DELOS_CLUSTER: 'hall',
      DELOS_AGENT_TOKEN_FILE: join(folder, 'agent'),
      DELOS_COLLECTOR_TOKEN_FILE: join(folder, 'collector'),
      ...(service === 'agent'
        ? { DELOS_JOIN_TOKEN_FILE: join(folder, 'ticket'), DELOS_OFFER_FILE: join(folder, 'offer.json') }
        : {}),
      DELOS_KUBECONFIG: join(folder, 'kubeconfig'),
      DELOS_POD_LOGS: join(folder, 'pods'),
      DELOS_NODE: 'node-1',
      DELOS_LISTEN_HOST: '127.0.0.1',
      DELOS_INTERNAL_PORT: String(port),
    },
    stdio: 'ignore',
  });
  children.push(child);
  return async () => {
    const answer = await fetch(`http://127.0.0.1:${port}/health/ready`).catch(() => undefined);
    return answer === undefined ? 'does not answer' : await answer.text();
  };
}

test('agent and collector join over TLS, by the authority that they are given and no other', async () => {
  await mkdir(join(folder, 'pods'));
  await writeFile(join(folder, 'kubeconfig'), KUBECONFIG);
  await writeFile(join(folder, 'offer.json'), JSON.stringify(OFFER));
  for (const name of ['agent', 'collector']) await writeFile(join(folder, name), randomBytes(24).toString('base64url'));
  const secret = await joinToken(platform, 'hall');
  await writeFile(join(folder, 'ticket'), joinText({ url, cluster: 'hall', secret }));

  const stranger = await start('agent', false);
  await until('one that does not trust it says so', 30, async (last) => {
    const said = await stranger();
    last(said);
    return said.includes('certificate') || undefined;
  });
  children.pop()?.kill('SIGKILL');
  expect(await platform.database.db.selectFrom('cluster_credentials').selectAll().execute()).toEqual([]);

  const agent = await start('agent', true);
  const collector = await start('collector', true);
  await until('the collector is connected', 30, async (last) => {
    const said = await collector();
    last(said);
    return said.includes('"ready"') || undefined;
  });
  // Its cluster has no API server: that alone is missing.
  await until('the agent is connected', 30, async (last) => {
    const said = await agent();
    last(said);
    return (said.includes('unready') && /127\.0\.0\.1:9|listed|api\/v1/.test(said)) || undefined;
  });
  const config = await until('the cluster says what it offers', 30, async () => {
    const { json } = await platform.api.request('alice', 'GET', '/config');
    return json.clusters.length === 2 ? json : undefined;
  });
  expect(config.clusters[1]).toMatchObject({
    name: 'hall',
    resource_presets: [{ name: 'hall-small', memory: 2 ** 30 }],
  });
  const shown = await readFile(join(folder, 'agent'), 'utf8');
  const rows = await platform.database.db.selectFrom('cluster_credentials').selectAll().execute();
  expect(rows.map(({ dialler }) => dialler).sort()).toEqual(['agent', 'collector']);
  expect(JSON.stringify(rows)).not.toContain(shown);
});
