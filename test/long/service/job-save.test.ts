import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { mirrorStore, resolveTool, withRegistry } from '@delos/cluster';
import { instancePaths, type StreamRequest, silent, streamRefused } from '@delos/core';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { type ApoloClient, apoloClient } from '../../../peers/src/apolo.ts';
import { type Pod, podShape } from '../../../runtime/service/src/agent/jobs/pod-shape.ts';
import { openStream } from '../../../runtime/service/src/agent/streams/streams.ts';
import { AgentHub } from '../../../runtime/service/src/api/agents/hub.ts';
import { applyEvent } from '../../../runtime/service/src/db/jobs-state.ts';
import { LogTails } from '../../../runtime/service/src/logs/tails.ts';
import { TEST_INSTANCE } from '../../support/instance.ts';
import { plainClient } from '../../support/kube/plain-client.ts';
import { type NodeContainers, nodeContainers } from '../../support/registry/node-containers.ts';
import { type RegistryPlatform, registryPlatform } from '../../support/registry/platform.ts';
import { IMAGE } from '../../support/service/api.ts';
import { observation } from '../../support/service/observer.ts';
import { until } from '../../support/until.ts';

/*
 * `apolo job save` by the official client: control API, gateway, registry, the agent's own code, a real containerd with a real
 * container, and beside it the program that saves it, with no right but that to read files. A test stands where the Kubernetes API says
 * which Pod runs on the job's node.
 */

let platform: RegistryPlatform;
let node: NodeContainers;
let client: ApoloClient;
let agent: Server;
let base: string;
const pods = new Map<string, Pod>();
const containers = new Map<string, string>();
const quiet = pino({ level: 'silent' });

beforeAll(async () => {
  [platform, node, client] = await Promise.all([registryPlatform(['alice', 'bob']), nodeContainers(), apoloClient()]);
  await client.ok([
    'config',
    'login-with-token',
    await platform.issuer.token('alice'),
    `http://${platform.host}/api/v1`,
  ]);
  base = `${platform.host}/acme/one/base:1`;
  const { path } = await resolveTool('registry', silent);
  const store = mirrorStore(instancePaths(TEST_INSTANCE, process.env));
  await withRegistry(path, store, (from) => platform.as('alice').ok('copy', `${from}/${IMAGE}:latest`, base));
  await listen();
});
afterAll(async () => {
  await client?.close();
  await node?.stop();
  await platform?.stop();
  agent?.closeAllConnections();
  agent?.close();
});

/** The control API's side of the agents' streams, and the agent. */
async function listen(): Promise<void> {
  const hub = new AgentHub(new LogTails(platform.api.deps.database.notifications));
  const back = new WebSocketServer({ noServer: true });
  agent = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://agent');
    if (url.pathname === '/api/v1/pods') {
      const items = [{ status: { phase: 'Running', podIP: '127.0.0.1' } }];
      response.end(JSON.stringify({ items: url.searchParams.get('fieldSelector')?.includes('node-1') ? items : [] }));
      return;
    }
    void json(request).then((body) => {
      hub.refuse(idIn(url), streamRefused.parse(body), { cluster: 'default', dialler: 'agent', joined: false });
      response.end('{}');
    });
  });
  const idIn = ({ pathname }: URL): string => pathname.split('/').at(-1) ?? '';
  agent.on('upgrade', (request, socket, head) => {
    const id = idIn(new URL(request.url ?? '/', 'http://agent'));
    back.handleUpgrade(request, socket, head, (opened) => hub.deliver(id, opened));
  });
  await new Promise<void>((resolve) => agent.listen(0, '127.0.0.1', resolve));
  const { port } = agent.address() as AddressInfo;
  const props = {
    client: plainClient(port),
    apiUrl: `http://127.0.0.1:${port}`,
    prefix: '/internal/agent/v1' as const,
    token: 'unused',
    podOf: (id: string) => pods.get(id),
    savers: { port: node.port, token: () => node.token },
    log: quiet,
  };
  const session = { cluster: 'default', open: true, ask: (stream: StreamRequest) => void openStream(props, stream) };
  hub.add(session as unknown as Parameters<AgentHub['add']>[0]);
  Object.assign(platform.api.deps, { agents: () => hub });
}

/** A job of alice's whose container runs this. */
async function job(script: string, facts: { readonly node?: string } = {}): Promise<string> {
  const { json: made } = await platform.api.request('alice', 'POST', '/jobs?from_preset', {
    ...{ preset_name: 'cpu-small', image: base, org_name: 'acme', project_name: 'one', pass_config: false },
  });
  const id: string = made.id;
  const container = node.containerId();
  containers.set(id, container);
  const login = `token:${await platform.issuer.token('alice')}`;
  await node.ctr('images', 'pull', '--plain-http', '--user', login, base);
  await node.ctr('run', '--detach', base, container, 'sh', '-c', `${script}; touch /done; sleep 600`);
  const digest = /sha256:[0-9a-f]{64}/.exec(await node.ctr('images', 'ls', `name==${base}`))?.[0] ?? '';
  const { database } = platform.api.deps;
  const admit = { type: 'admit', pool: 'default', node: 'node-1', description: '' } as const;
  await database.tx((tx) => applyEvent(tx, id, admit));
  const seen = observation(id, { startedAt: new Date().toISOString() });
  await database.tx((tx) => applyEvent(tx, id, { type: 'observe', observation: seen }));
  pods.set(
    id,
    podShape.parse({
      metadata: { name: id, uid: 'uid' },
      spec: { nodeName: facts.node ?? 'node-1', containers: [{ name: 'main' }] },
      status: {
        containerStatuses: [
          {
            name: 'main',
            imageID: `${platform.host}/acme/one/base@${digest}`,
            containerID: `containerd://${container}`,
            state: { running: {} },
          },
        ],
      },
    }),
  );
  return id;
}

/** What a new container of an image prints. */
async function shown(image: string, script: string): Promise<string> {
  const login = `token:${await platform.issuer.token('alice')}`;
  await node.ctr('images', 'pull', '--plain-http', '--user', login, image);
  return node.ctr('run', '--rm', image, node.containerId(), 'sh', '-c', script);
}

const CHANGES = [
  'echo kept >/written && ln /written /second && ln -s /etc/shadow /link',
  'chown 1234:4321 /written && chmod 640 /written',
  'rm /etc/hostname; rm -rf /var/lib/dpkg && mkdir /var/lib/dpkg && echo new >/var/lib/dpkg/new',
  'mkdir "/a b" && echo x >"/a b/ü"',
].join(' && ');

describe('a running job', () => {
  test('is saved by the official client, and a container of the image has all that it changed', async () => {
    const id = await job(CHANGES);
    const saved = await client.run(['job', 'save', id, 'image:saved:1'], { timeout: 120 });
    expect(saved, saved.stderr).toMatchObject({ code: 0 });
    expect(saved.stdout).toContain('Image created');
    expect(saved.stdout.trim()).toMatch(/image:\/\/default\/acme\/one\/saved:1$/);
    const told = await shown(
      `${platform.host}/acme/one/saved:1`,
      'cat /written /second "/a b/ü"; stat -c "%u:%g %a %h" /written; readlink /link; ls /var/lib/dpkg; ls /etc/hostname 2>&1; id -u',
    );
    expect(told).toMatch(/^kept\nkept\nx\n1234:4321 640 2\n\/etc\/shadow\nnew\nls: [^\n]*No such file[^\n]*\n0\n$/);
  });

  test('is saved again, over the same tag', async () => {
    const id = await job('echo second >/written');
    expect((await client.run(['job', 'save', id, 'image:saved:1'], { timeout: 120 })).code).toBe(0);
    expect(await shown(`${platform.host}/acme/one/saved:1`, 'cat /written')).toBe('second\n');
  });

  test('on a node without that part is refused in words', async () => {
    const id = await job('true', { node: 'node-2' });
    const refused = await client.run(['job', 'save', id, 'image:saved:2']);
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain('services.imageSaver of delos.yaml brings it');
  });
});

describe('refused, before anything is read', () => {
  const save = (user: string, id: string, image: string) =>
    platform.api.request(user, 'POST', `/jobs/${id}/save`, { container: { image } });

  test('another project’s job, an image of another project, and one of another registry', async () => {
    const id = await job('true');
    const own = `${platform.host}/acme/one/saved:3`;
    expect((await save('bob', id, own)).json.error).toContain('there is no job');
    expect((await save('rita', id, own)).status).toBe(403);
    const others = await save('alice', id, `${platform.host}/other/hidden/saved:3`);
    expect([others.status, others.json.error]).toEqual([403, expect.stringContaining('may not push images')]);
    const strange = await save('alice', id, 'ghcr.io/me/saved:3');
    expect([strange.status, strange.json.error]).toEqual([
      400,
      expect.stringContaining('saved to an image of this platform'),
    ]);
    expect((await platform.as('alice').run('digest', own)).code).not.toBe(0);
  });

  test('a job that has ended, and one whose container has gone since', async () => {
    const id = await job('true');
    const own = `${platform.host}/acme/one/saved:4`;
    const container = containers.get(id) ?? '';
    await node.ctr('task', 'kill', '--signal', 'SIGKILL', container);
    await until('it is gone', 30, async () => {
      await node.ctr('task', 'delete', container).catch(() => undefined);
      return (await node.ctr('task', 'ls')).includes(container) ? undefined : true;
    });
    const gone = await save('alice', id, own);
    expect([gone.status, gone.json.error]).toEqual([404, expect.stringContaining('is not running')]);
    const end = observation(id, { phase: 'succeeded', exitCode: 0, finishedAt: new Date().toISOString() });
    await platform.api.deps.database.tx((tx) => applyEvent(tx, id, { type: 'observe', observation: end }));
    const ended = await save('alice', id, own);
    expect([ended.status, ended.json.error]).toEqual([404, expect.stringContaining('has ended')]);
  });
});

describe('the credential of a save', () => {
  test('opens the one repository, and nothing that its user may read besides', async () => {
    const id = await job('true');
    let shownPassword = '';
    const hub = platform.api.deps.agents;
    Object.assign(platform.api.deps, {
      agents: () => ({
        openStream: async (_cluster: string, { save }: StreamRequest) => {
          shownPassword = save?.registry.password ?? '';
          throw new Error('not asked');
        },
      }),
    });
    await platform.api.request('alice', 'POST', `/jobs/${id}/save`, {
      container: { image: `${platform.host}/acme/one/mine:1` },
    });
    Object.assign(platform.api.deps, { agents: hub });
    const ask = async (scope: string): Promise<number> =>
      (
        await fetch(`http://${platform.host}/api/v1/registry/token?service=delos-registry&scope=${scope}`, {
          headers: { authorization: `Basic ${Buffer.from(`token:${shownPassword}`).toString('base64')}` },
        })
      ).status;
    expect(await ask('repository:acme/one/mine:pull,push')).toBe(200);
    for (const other of [
      'repository:acme/one/base:pull',
      'repository:acme/one/other:push',
      'repository:acme/one/mine/x:pull',
    ]) {
      expect(await ask(other)).not.toBe(200);
    }
  });
});
