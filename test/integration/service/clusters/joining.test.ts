import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join as pathTo } from 'node:path';
import { JOINED_PREFIX, joinText } from '@delos/core';
import { Registry } from 'prom-client';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { Membership } from '../../../../runtime/service/src/agent/membership.ts';
import { clusterMetrics } from '../../../../runtime/service/src/db/clusters/cluster-metrics.ts';
import { handleClusters } from '../../../../runtime/service/src/db/clusters/command.ts';
import { revokeJoinToken } from '../../../../runtime/service/src/db/clusters/joining.ts';
import { applyEvent } from '../../../../runtime/service/src/db/jobs-state.ts';
import { liveSecret } from '../../../../runtime/service/src/live-secret.ts';
import { schedulerService } from '../../../../runtime/service/src/scheduler/index.ts';
import { startService } from '../../../../runtime/service/src/service-run.ts';
import {
  askToJoin,
  dial,
  handshake,
  join,
  joinToken,
  PlayedAgent,
  startTwoReplicas,
  type TwoReplicas,
} from '../../../support/clusters/two-replicas.ts';
import { observation } from '../../../support/service/observer.ts';
import { quiet } from '../../../support/service/postgres.ts';
import { until } from '../../../support/until.ts';

let platform: TwoReplicas;
let folder: string;

beforeAll(async () => {
  platform = await startTwoReplicas();
});
afterAll(() => platform?.stop());
beforeEach(async () => {
  folder = await mkdtemp(pathTo(tmpdir(), 'delos-joining-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const mine = { agent: 'secret-of-the-agent', collector: 'secret-of-the-collectors' };
const asks = async (path: string, method: string, token: string): Promise<number> =>
  (
    await fetch(`${platform.first.address}${JOINED_PREFIX}/${path}`, {
      method,
      headers: { authorization: `Bearer ${token}` },
    })
  ).status;

const jobOn = async (cluster: string, preset: string, facts: Readonly<Record<string, unknown>> = {}) =>
  platform.api.request('alice', 'POST', '/jobs?from_preset', {
    ...{ preset_name: preset, cluster_name: cluster, org_name: 'acme', project_name: 'one', image: 'ubuntu' },
    ...{ pass_config: false, ...facts },
  });
const jobRow = (id: string) =>
  platform.database.db.selectFrom('jobs').selectAll().where('id', '=', id).executeTakeFirstOrThrow();

test('a join token is good once, until it is over or revoked, and only its digest is kept', async () => {
  const token = await joinToken(platform, 'once');
  const kept = await platform.database.db.selectFrom('join_tokens').selectAll().execute();
  expect(JSON.stringify(kept)).not.toContain(token);
  expect((await askToJoin(platform.first, token, mine)).status).toBe(200);
  // The answer was lost on the way: the same trade again, at any replica, changes nothing.
  expect((await askToJoin(platform.second, token, mine)).status).toBe(200);
  expect((await askToJoin(platform.first, token, { agent: 'another', collector: 'one' })).status).toBe(401);
  await expect(joinToken(platform, 'once')).rejects.toMatchObject({ code: 'ERR_CONFLICT' });
  await expect(joinToken(platform, 'default')).rejects.toMatchObject({ code: 'ERR_CONFLICT' });

  const late = await joinToken(platform, 'late');
  await platform.database.db
    .updateTable('join_tokens')
    .set({ expires_at: new Date(Date.now() - 1) })
    .where('cluster', '=', 'late')
    .execute();
  const others = { agent: 'third', collector: 'fourth' };
  expect((await askToJoin(platform.first, late, others)).status).toBe(401);

  const revoked = await joinToken(platform, 'late');
  expect(await platform.database.tx((tx) => revokeJoinToken(tx, 'late', 'test'))).toBe(true);
  expect((await askToJoin(platform.first, revoked, others)).status).toBe(401);
  const replaced = await joinToken(platform, 'late');
  await joinToken(platform, 'late');
  expect((await askToJoin(platform.first, replaced, others)).status).toBe(401);
  await platform.database.tx((tx) => revokeJoinToken(tx, 'late', 'test'));
  expect(await asks('membership', 'DELETE', mine.agent)).toBe(200);
  expect(await asks('membership', 'DELETE', mine.agent)).toBe(401);
});

test('the agent joins by itself, goes on after a restart without the token, and rotates what it shows', async () => {
  const secret = await joinToken(platform, 'self');
  const files = { ticket: 'ticket', agent: 'agent', collector: 'collector' };
  const write = (name: string, text: string) => writeFile(pathTo(folder, name), text);
  await write(files.ticket, joinText({ url: platform.first.address, cluster: 'self', secret }));
  await write(files.agent, 'agent-one-0123456789');
  await write(files.collector, 'collector-one-0123456789');
  const live = (name: string) => liveSecret(pathTo(folder, name));
  const start = () => {
    const stop = new AbortController();
    const membership = new Membership({
      url: platform.first.address,
      ticket: live('ticket'),
      agent: live('agent'),
      collector: live('collector'),
      log: quiet,
    });
    const done = membership.run(stop.signal);
    const end = (): Promise<void> => {
      stop.abort();
      return done;
    };
    return { membership, end };
  };
  const opens = (token: string) => handshake(dial(platform.second, 'connect', token));
  let running = start();
  await until('it has joined', 10, async () => running.membership.problem === undefined || undefined);
  expect(await opens('agent-one-0123456789')).toBe(101);
  expect(await opens('collector-one-0123456789')).toBe(403);
  await running.end();

  await platform.database.db.deleteFrom('join_tokens').where('cluster', '=', 'self').execute();
  running = start();
  await until('it is a member again', 10, async () => running.membership.problem === undefined || undefined);
  // Step by step, as `delos rotate` does it: both are good for a while, then the former one is good no more.
  await write('agent.next', 'agent-two-0123456789');
  await until('the next one is good', 10, async () =>
    (await opens('agent-two-0123456789')) === 101 ? true : undefined,
  );
  expect(await opens('agent-one-0123456789')).toBe(101);
  await write('agent', 'agent-two-0123456789');
  await rm(pathTo(folder, 'agent.next'));
  await until('the former one is not', 10, async () =>
    (await opens('agent-one-0123456789')) === 401 ? true : undefined,
  );
  expect(await opens('agent-two-0123456789')).toBe(101);
  await running.end();
  expect(await asks('membership', 'DELETE', 'agent-two-0123456789')).toBe(200);
});

test('an agent whose token is none says so, and joins as soon as it has one', async () => {
  const secret = await joinToken(platform, 'slow');
  const ticket = (text: string) =>
    writeFile(pathTo(folder, 'ticket'), joinText({ url: platform.first.address, cluster: 'slow', secret: text }));
  await ticket('none');
  for (const name of ['agent', 'collector']) await writeFile(pathTo(folder, name), `${name}-of-slow-0123456789`);
  const live = (name: string) => liveSecret(pathTo(folder, name));
  const stop = new AbortController();
  const membership = new Membership({
    ...{ url: platform.first.address, ticket: live('ticket'), agent: live('agent'), collector: live('collector') },
    log: quiet,
  });
  const done = membership.run(stop.signal);
  await until('it says why', 10, async () => membership.problem?.includes('join token is not valid') || undefined);
  await ticket(secret);
  await until('it has joined', 10, async () => membership.problem === undefined || undefined);
  stop.abort();
  await done;
  expect(await asks('membership', 'DELETE', 'agent-of-slow-0123456789')).toBe(200);
});

test('a cluster that has joined is in the client’s configuration, takes jobs that name it, and has quotas of its own', async () => {
  const before = (await platform.api.request('alice', 'GET', '/config')).json;
  const hall = await join(platform, 'hall');
  const { json } = await platform.api.request('alice', 'GET', '/config');
  expect(json.clusters.map(({ name }: { name: string }) => name)).toEqual(['default', 'hall']);
  expect(json.clusters[0]).toEqual(before.clusters[0]);
  const [, there] = json.clusters;
  expect(there).toMatchObject({ orgs: ['acme'], resource_presets: [{ name: 'gpu-tiny' }] });
  expect(json.projects).toHaveLength(before.projects.length * 2);
  expect((await jobOn('nowhere', 'cpu-small')).status).toBe(400);
  expect((await jobOn('hall', 'cpu-small')).json.error).toContain('gpu-tiny');

  const token = await platform.issuer.token('alice');
  const asked = async (url: string) =>
    (await fetch(url, { headers: { authorization: `Bearer ${token}` } })).json() as Promise<Record<string, unknown>>;
  expect(await asked(`${there.monitoring_url}/capacity`)).toEqual({ 'gpu-tiny': 8 });
  expect(Object.keys(await asked(`${json.clusters[0].monitoring_url}/capacity`))).toContain('cpu-small');
  const made = await fetch(there.disks_url, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ storage: 2 ** 30, org_name: 'acme', project_name: 'one', name: 'data' }),
  });
  expect(made.status).toBe(201);
  expect(await asked(`${there.disks_url}?project_name=one`)).toHaveLength(1);
  expect(await asked(`${json.clusters[0].disks_url}?project_name=one`)).toHaveLength(0);
  expect(await asked(there.disks_url.replace('/hall/', '/nowhere/'))).toMatchObject({ code: 'ERR_NOT_FOUND' });

  // One job at once in this project, on each cluster.
  const tight = { project_name: 'tight' };
  expect((await jobOn('default', 'cpu-small', tight)).status).toBe(202);
  expect((await jobOn('default', 'cpu-small', tight)).json.code).toBe('ERR_QUOTA_EXCEEDED');
  expect((await jobOn('hall', 'gpu-tiny', tight)).status).toBe(202);
  expect((await jobOn('hall', 'gpu-tiny', tight)).json.code).toBe('ERR_QUOTA_EXCEEDED');
  await platform.database.db.deleteFrom('disks').execute();
  await platform.database.db.deleteFrom('jobs').execute();
  expect(await asks('membership', 'DELETE', hall.agent)).toBe(200);
});

test('the scheduler places each job on its own cluster, as soon as that has joined', async () => {
  const { database } = platform;
  const env = { ...platform.postgresEnv, DELOS_LISTEN_HOST: '127.0.0.1', DELOS_LOG_LEVEL: 'silent' };
  const runner = await startService(schedulerService, { env, internalPort: 0 });
  try {
    const hall = await join(platform, 'hall');
    const id = (await jobOn('hall', 'gpu-tiny')).json.id;
    const stays = (await jobOn('default', 'cpu-small')).json.id;
    await until(
      'the job of the hall is admitted',
      20,
      async () => (await jobRow(id)).phase === 'admitted' || undefined,
    );
    expect(await jobRow(id)).toMatchObject({ cluster: 'hall', pool: 'hall', planned_node: 'node-1' });
    // The platform's own cluster has no node.
    expect((await jobRow(stays)).phase).toBe('queued');
    // Its metrics follow the rows that it writes.
    const metrics = await until('the metrics count it', 20, async () => {
      const text = await (await fetch(`${runner.internalUrl}/metrics`)).text();
      return /delos_jobs\{.*phase="admitted",cluster="hall".*\} 1/.test(text) ? text : undefined;
    });
    expect(metrics).toMatch(/delos_jobs\{phase="queued",service="scheduler"\} 1/);
    const agent = await PlayedAgent.at(platform.second, hall);
    expect(agent.desired).toEqual([id]);
    await agent.end();
    await handleClusters(
      database,
      { own: 'default', url: 'http://x' },
      { action: 'remove', cluster: 'hall', by: 'test' },
    );
    expect(await jobRow(id)).toMatchObject({ phase: 'gone', status: 'cancelled' });
    await database.db.deleteFrom('jobs').execute();
  } finally {
    await runner.stop();
  }
});

test('a cluster that leaves takes no jobs, has its own ended by its agent, and is forgotten; its history stays', async () => {
  const { database } = platform;
  const hall = await join(platform, 'hall');
  const waits = (await jobOn('hall', 'gpu-tiny')).json.id;
  const runs = (await jobOn('hall', 'gpu-tiny')).json.id;
  await database.tx((tx) => applyEvent(tx, runs, { type: 'admit', pool: 'hall', node: 'node-1', description: '' }));
  await database.tx((tx) => applyEvent(tx, runs, { type: 'observe', observation: observation(runs, {}) }));
  const agent = await PlayedAgent.at(platform.second, hall);
  const leave = async () =>
    (await fetch(`${platform.first.address}${JOINED_PREFIX}/membership`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${hall.agent}` },
    }).then((answer) => answer.json())) as { jobs: number; disks: number };
  expect(await leave()).toEqual({ jobs: 1, disks: 0 });
  expect(await jobRow(waits)).toMatchObject({ phase: 'gone', status: 'cancelled' });
  expect((await jobOn('hall', 'gpu-tiny')).status).toBe(400);
  await until(
    'the agent is told to stop it',
    10,
    async () =>
      agent.told.some(
        (told) => told.type === 'desire' && told.desire.kind === 'job' && told.desire.spec.action === 'stop',
      ) || undefined,
  );
  agent.say({
    ...{ type: 'observation', kind: 'job', id: runs, seq: 1 },
    observation: observation(runs, { phase: 'failed', exitCode: 143, nodeName: null }),
  });
  await until('it has ended', 10, async () => ['ended', 'archived'].includes((await jobRow(runs)).phase) || undefined);
  await database.tx((tx) => applyEvent(tx, runs, { type: 'seal', complete: true }));
  agent.say({ type: 'removed', kind: 'job', id: runs, run: 0, podUid: `uid-${runs}` });
  await until('nothing is left', 10, async () => {
    const left = await leave();
    return left.jobs === 0 || undefined;
  });
  // Its connection is closed, and what it showed opens nothing.
  expect(await agent.closed).toBe(1008);
  expect(await handshake(dial(platform.first, 'connect', hall.agent))).toBe(401);
  expect(await jobRow(runs)).toMatchObject({ cluster: 'hall', phase: 'gone', status: 'cancelled' });
  const records = await handleClusters(database, { own: 'default', url: 'http://x' }, { action: 'list' });
  expect(records).toMatchObject([
    { name: 'default', state: 'own' },
    { name: 'hall', state: 'left', nodes: 0, jobs: 0 },
  ]);
  // The API hears of it from the database.
  const shown = (count: number) =>
    until(`${count} clusters are shown`, 10, async (last) => {
      const { clusters } = (await platform.api.request('alice', 'GET', '/config')).json;
      last(clusters);
      return clusters.length === count || undefined;
    });
  await shown(1);
  // And it may come back.
  await join(platform, 'hall');
  await shown(2);
  await handleClusters(
    database,
    { own: 'default', url: 'http://x' },
    { action: 'remove', cluster: 'hall', by: 'test' },
  );
});

test('of a cluster that has joined it is told for how long it was not heard of, and no more once it has left', async () => {
  const { database } = platform;
  const registry = new Registry();
  clusterMetrics(registry, database.db);
  const told = async () => (await registry.getMetricsAsJSON()).flatMap(({ values }) => values);
  await join(platform, 'attic');
  await database.db
    .updateTable('clusters')
    .set({ last_seen_at: new Date(Date.now() - 3_600_000) })
    .where('name', '=', 'attic')
    .execute();
  const [silent, ...others] = await told();
  expect([silent?.labels, others]).toEqual([{ cluster: 'attic' }, []]);
  expect(silent?.value).toBeGreaterThan(3_500);
  expect(silent?.value).toBeLessThan(3_700);
  const by = { action: 'remove', cluster: 'attic', by: 'test' } as const;
  await handleClusters(database, { own: 'default', url: 'http://x' }, by);
  expect(await told()).toEqual([]);
});
