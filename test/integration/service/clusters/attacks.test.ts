import { once } from 'node:events';
import { gzipSync } from 'node:zlib';
import { AGENT_PREFIX, JOINED_PREFIX } from '@delos/core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { LatestUsage } from '../../../../runtime/service/src/api/usage/latest-usage.ts';
import { recordClaim } from '../../../../runtime/service/src/db/disks-state.ts';
import { applyEvent } from '../../../../runtime/service/src/db/jobs-state.ts';
import {
  dial,
  handshake,
  type JoinedCluster,
  join,
  ownCluster,
  PlayedAgent,
  startTwoReplicas,
  type TwoReplicas,
} from '../../../support/clusters/two-replicas.ts';
import { observation } from '../../../support/service/observer.ts';

/*
 * What the secrets of one cluster do not open: another cluster's jobs, logs, disks, streams and use. Each attack is made with
 * the secrets of cluster `a`, and with those of the platform's own cluster, upon cluster `b`.
 */

let platform: TwoReplicas;
let a: JoinedCluster;
let b: JoinedCluster;
let own: JoinedCluster;
let job: string;
let disk: string;

beforeAll(async () => {
  platform = await startTwoReplicas();
  own = ownCluster(platform);
  a = await join(platform, 'a');
  b = await join(platform, 'b');
});
afterAll(() => platform?.stop());

beforeEach(async () => {
  const { api, database } = platform;
  await database.db.deleteFrom('jobs').execute();
  await database.db.deleteFrom('disks').execute();
  const wanted = { preset_name: 'gpu-tiny', cluster_name: 'b', org_name: 'acme', project_name: 'one' };
  const made = await api.request('alice', 'POST', '/jobs?from_preset', {
    ...wanted,
    image: 'ubuntu',
    pass_config: false,
    env: { SECRET_OF_B: 'nobody-else-reads-this' },
  });
  job = made.json.id;
  disk = (await api.request('alice', 'POST', '/on/b/disk', { storage: 2 ** 20, org_name: 'acme', project_name: 'one' }))
    .json.id;
  await database.tx((tx) => applyEvent(tx, job, { type: 'admit', pool: 'hall', node: 'node-1', description: '' }));
  await database.tx((tx) => applyEvent(tx, job, { type: 'observe', observation: observation(job, {}) }));
});

const rowOf = (table: 'jobs' | 'disks', id: string) =>
  platform.database.db.selectFrom(table).selectAll().where('id', '=', id).executeTakeFirstOrThrow();
const prefixOf = ({ name }: JoinedCluster): string => (name === 'default' ? AGENT_PREFIX : JOINED_PREFIX);
const ask = (by: string, token: string, method = 'GET', body?: Buffer | string): Promise<Response> =>
  fetch(`${platform.first.address}${by}`, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(body === undefined
        ? {}
        : { 'content-type': Buffer.isBuffer(body) ? 'application/octet-stream' : 'application/json' }),
    },
    ...(body === undefined ? {} : { body: Buffer.isBuffer(body) ? new Uint8Array(body) : body }),
  });

describe.each([
  ['a cluster that has joined', () => a],
  ['the platform’s own cluster', () => own],
])('by the secrets of %s', (_, attacker) => {
  test('it is told nothing of another’s jobs and disks, and cannot say that it is that cluster', async () => {
    const by = attacker();
    const path = (part: string): string => `${part}?cluster=b&node=node-1`;
    expect(await handshake(dial(platform.first, path('connect'), by.agent, prefixOf(by)))).toBe(403);
    expect(await handshake(dial(platform.first, path('collect'), by.collector, prefixOf(by)))).toBe(403);
    const agent = await PlayedAgent.at(platform.first, by);
    await agent.settled(platform, by.name);
    expect(JSON.stringify(agent.told)).not.toContain('nobody-else-reads-this');
    expect(agent.desired).toEqual([]);
    await agent.end();
    const theirs = await PlayedAgent.at(platform.first, b);
    expect([...theirs.desired].sort()).toEqual([disk, job].sort());
    await theirs.end();
  });

  test('its reports of another’s jobs and disks change nothing', async () => {
    const by = attacker();
    const agent = await PlayedAgent.at(platform.first, by);
    const [jobBefore, diskBefore] = [await rowOf('jobs', job), await rowOf('disks', disk)];
    const seen = observation(job, { phase: 'failed', exitCode: 1, reason: 'Error' });
    agent.say({ type: 'observation', kind: 'job', id: job, seq: 1, observation: seen });
    agent.say({ type: 'removed', kind: 'job', id: job, run: 0, podUid: `uid-${job}` });
    const claim = { claimUid: 'x', phase: 'broken', description: 'gone', nodes: null, usedBytes: null };
    agent.say({ type: 'observation', kind: 'disk', id: disk, seq: 2, observation: claim });
    agent.say({ type: 'removed', kind: 'disk', id: disk });
    agent.say({ type: 'usage', jobs: [{ id: job, usage: { cpu: 99, memory_bytes: 1, timestamp: 1 } }] });
    await agent.settled(platform, by.name);
    expect(await rowOf('jobs', job)).toEqual(jobBefore);
    expect(await rowOf('disks', disk)).toEqual(diskBefore);
    expect(await new LatestUsage(platform.api.deps.cache).of([{ id: job, cluster: 'b' }])).toEqual(new Map());
    // After a `removed` the desire is told again: not of a job that is another's.
    expect(JSON.stringify(agent.told)).not.toContain('nobody-else-reads-this');
    await agent.end();
    // The owner's own are taken.
    await platform.database.tx((tx) =>
      recordClaim(tx, disk, { claimUid: 'x', phase: 'ready', description: null, nodes: null, usedBytes: null }, 'b'),
    );
    expect(await rowOf('disks', disk)).toMatchObject({ status: 'ready' });
  });

  test('it neither reads nor writes another’s logs', async () => {
    const by = attacker();
    const log = (of: JoinedCluster): string => `${prefixOf(of)}/logs/${job}?pod=uid-${job}&attempt=0`;
    expect((await ask(log(by), by.collector)).status).toBe(404);
    const body = gzipSync('forged');
    expect((await ask(`${log(by)}&offset=0`, by.collector, 'POST', body)).status).toBe(404);
    expect((await ask(`${log(by)}&offset=0&final=true`, by.collector, 'POST', Buffer.alloc(0))).status).toBe(404);
    expect(await platform.database.db.selectFrom('log_streams').selectAll().execute()).toEqual([]);
    expect((await ask(`${log(b)}&offset=0`, b.collector, 'POST', gzipSync('true'))).status).toBe(200);
  });

  test('it opens no other endpoint: not the other kind’s, not those of the other prefix, nothing of the public API', async () => {
    const by = attacker();
    const prefix = prefixOf(by);
    const other = prefix === AGENT_PREFIX ? JOINED_PREFIX : AGENT_PREFIX;
    const { first } = platform;
    expect(await handshake(dial(first, 'connect', by.collector, prefix))).toBe(403);
    expect(await handshake(dial(first, 'collect?node=node-1', by.agent, prefix))).toBe(403);
    expect(await handshake(dial(first, 'connect', by.agent, other))).toBe(401);
    expect(await handshake(dial(first, 'collect?node=node-1', by.collector, other))).toBe(401);
    expect((await ask(`${other}/logs/${job}?pod=x&attempt=0`, by.collector)).status).toBe(401);
    expect([401, 404]).toContain((await ask(`${other}/credentials`, by.agent, 'PUT', '{}')).status);
    expect((await ask(`${JOINED_PREFIX}/membership`, by.collector, 'DELETE')).status).not.toBe(200);
    for (const token of [by.agent, by.collector]) {
      const answer = await fetch(`${first.url}/api/v1/jobs`, { headers: { authorization: `Bearer ${token}` } });
      expect(answer.status).toBe(401);
    }
  });
});

test('a stream is for the cluster of its job alone, on whichever replica it arrives', async () => {
  const agent = await PlayedAgent.at(platform.first, b);
  const query = new URLSearchParams({ cmd: 'cat', stdin: '1', stdout: '1', stderr: '1', tty: '0' });
  const client = async (): Promise<WebSocket> => {
    const headers = { authorization: `Bearer ${await platform.issuer.token('alice')}` };
    const socket = new WebSocket(`${platform.second.url.replace('http', 'ws')}/api/v1/jobs/${job}/exec?${query}`, {
      headers,
    });
    socket.on('error', () => undefined);
    return socket;
  };
  const socket = await client();
  const heard: Buffer[] = [];
  socket.on('message', (data: Buffer) => heard.push(data));
  const request = await agent.nextStream();
  // No address of a replica that an agent elsewhere could dial: the gateway leads it to any.
  expect(request.callback).toBeNull();
  const [id = '', place = ''] = request.id.split('.');
  const stolen = [
    request.id,
    id,
    `${id}.${place}.forged`,
    `${id}.${Buffer.from('http://127.0.0.1:9').toString('base64url')}.x`,
  ];
  for (const at of [platform.first, platform.second]) {
    for (const path of stolen) {
      expect(await handshake(dial(at, `streams/${path}`, a.agent))).toBe(404);
      const refusal = JSON.stringify({ status: 404, message: 'forged' });
      const told = await ask(`${JOINED_PREFIX}/streams/${path}`, a.agent, 'POST', refusal);
      expect(told.status === 401 || JSON.stringify(await told.json()) === '{"awaited":false}').toBe(true);
    }
  }
  expect(socket.readyState).toBe(WebSocket.CONNECTING);
  const back = dial(platform.first, `streams/${request.id}`, b.agent);
  back.on('message', (data: Buffer) => {
    back.send(Buffer.from(data.toString('utf8').toUpperCase()));
    back.close(1000);
  });
  await once(socket, 'open');
  socket.send(Buffer.from('hello'));
  await once(socket, 'close');
  expect(Buffer.concat(heard).toString('utf8')).toBe('HELLO');

  // A refusal of the right agent arrives at the replica that waits as well.
  const second = await client();
  const refused = once(second, 'unexpected-response').then(
    ([, answer]: { statusCode?: number }[]) => answer?.statusCode,
  );
  const next = await agent.nextStream();
  const body = JSON.stringify({ status: 404, message: 'the container is not running' });
  const answer = await ask(`${JOINED_PREFIX}/streams/${next.id}`, b.agent, 'POST', body);
  expect(await answer.json()).toEqual({ awaited: true });
  expect(await refused).toBe(404);
  await agent.end();
});

test('the platform’s own agent offers nothing: what it offers is said in delos.yaml', async () => {
  const agent = await PlayedAgent.at(platform.first, own);
  const before = await platform.database.db.selectFrom('clusters').selectAll().where('name', '=', 'default').execute();
  agent.say({
    type: 'offer',
    pools: [{ name: 'x' }],
    presets: [{ name: 'x', cpu: 1, memory: 2 ** 30 }],
    scheduling: { minRunSeconds: 0 },
  });
  expect(await agent.closed).toBe(1002);
  const after = await platform.database.db.selectFrom('clusters').selectAll().where('name', '=', 'default').execute();
  expect(after.map(({ presets }) => presets)).toEqual(before.map(({ presets }) => presets));
});
