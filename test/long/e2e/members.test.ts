import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { expectOk } from '../../../peers/src/command.ts';
import { apiServers } from '../../support/cluster/api-servers.ts';
import {
  acknowledged,
  allFollow,
  inPod,
  longestGap,
  makeTable,
  nodeOf,
  opens,
  passwordOf,
  primary,
  rows,
  sqlIn,
  startWriter,
  stopWriter,
} from '../../support/database/members.ts';
import { delos, delosJson, kubectl, token, upDocument } from '../../support/instance.ts';
import { killedAfter } from '../../support/killed-command.ts';
import { DEFAULTS, FINISHED, jobDocument } from '../../support/service/api.ts';
import { until } from '../../support/until.ts';

/* PostgreSQL with three members on three nodes, in a platform of its own: what it outlives, and what is lost. */

const folder = mkdtempSync(join(tmpdir(), 'delos-members-'));
const configOf = (replicas: number): string => {
  const file = join(folder, `${replicas}.yaml`);
  writeFileSync(
    file,
    `domain: localhost
cluster: { engine: embedded, embedded: { nodes: [default, default, default] } }
gateway: { httpPort: 0, httpsPort: 0 }
monitoring: { enabled: false }
nodePools: [{ name: default, maxSize: 3 }]
services:
  postgres: { replicas: ${replicas} }
  devpi: { enabled: false }
`,
  );
  return file;
};
const ONE = configOf(1);
const THREE = configOf(3);

/** Seconds after which a primary that is not heard of has lost its place. */
let ttl: number;
let apiUrl: string;

const up = async (config: string): Promise<void> => {
  ({ apiUrl } = await delosJson(upDocument, ['up', '--config', config], { timeout: 1700 }));
};

beforeAll(async () => {
  await expectOk(delos(['down', '--delete-data']));
  await up(ONE);
});
afterAll(async () => {
  await expectOk(delos(['down', '--delete-data']));
  rmSync(folder, { recursive: true });
});

test('one PostgreSQL becomes three members, with all that it has', async () => {
  await makeTable('postgres-0');
  await sqlIn('postgres-0', 'written', 'insert into written select generate_series(1, 1000);');
  await up(THREE);
  await allFollow();
  const agreed = await inPod('postgres-0', ['patronictl', 'show-config']);
  ttl = Number(/^ttl: (\d+)$/m.exec(agreed)?.[1]);
  expect(ttl).toBeGreaterThan(0);
  for (const pod of ['postgres-0', 'postgres-1', 'postgres-2']) expect((await rows(pod)).size).toBe(1000);
});

test('three members do not become one: the volume that is left may lack what the others have', async () => {
  const refused = await delos(['up', '--config', ONE]);
  expect(refused.code).not.toBe(0);
  expect(refused.stderr).toContain('the cluster has members of postgres, and the configuration wants one');
  expect(await kubectl(['get', 'statefulset', '-n', 'delos', 'postgres', '-o', 'jsonpath={.spec.replicas}'])).toBe('3');
});

const restarts = async (): Promise<string> =>
  kubectl([
    ...['get', 'pods', '-n', 'delos', '-l', 'app.kubernetes.io/name notin (postgres,writer)'],
    ...['-o', 'jsonpath={range .items[*]}{.metadata.name} {.status.containerStatuses[*].restartCount}{"\\n"}{end}'],
  ]);

/** A job from its request to its end: scheduler, agent and API have the database, and hear each other through it. */
async function runJob(): Promise<void> {
  const bearer = await token('admin');
  const call = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    const response = await fetch(`${apiUrl}${path}`, {
      method,
      headers: { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(20_000),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return await response.json();
  };
  const id = await until('a job is taken', 60, async (last) => {
    const made = await call('POST', '/jobs?from_preset', {
      ...DEFAULTS,
      preset_name: 'cpu-small',
      command: 'true',
    }).catch((error: unknown) => last(String(error)));
    return made === undefined ? undefined : jobDocument.parse(made).id;
  });
  const ended = await until('the job ends', 120, async (last) => {
    const job = jobDocument.parse(await call('GET', `/jobs/${id}`));
    last(job.status);
    return FINISHED.has(job.status) ? job : undefined;
  });
  expect(ended.status).toBe('succeeded');
}

const ROLES = ['admin', 'delos', 'keycloak', 'replicator', 'rewinder', 'patroni'];

test('all passwords of the members are rotated while a client writes: none of what was acknowledged is lost, and the former ones open nothing', async () => {
  await allFollow();
  await startWriter('node-1');
  try {
    const before = new Map<string, string>();
    for (const name of ROLES) before.set(name, await passwordOf(name));
    const rotated = z.object({ rotated: z.array(z.string()) });
    const done = await delosJson(rotated, ['rotate', '--all'], { timeout: 900 });
    expect(done.rotated).toEqual(expect.arrayContaining(ROLES.map((name) => `postgres-${name}`)));
    for (const name of ROLES) {
      const now = await passwordOf(name);
      expect(now).not.toBe(before.get(name));
      // The administrator is let in on the socket alone.
      if (name === 'admin') continue;
      expect([name, await opens(name, before.get(name) ?? ''), await opens(name, now)]).toEqual([name, false, true]);
    }
    // Members sign in anew, by what they have now.
    await sqlIn(await primary(), 'postgres', 'select pg_terminate_backend(pid) from pg_stat_replication;');
    await allFollow(60);
    const other = (await primary()) === 'postgres-0' ? 'postgres-1' : 'postgres-0';
    await inPod(await primary(), ['patronictl', 'switchover', '--candidate', other, '--force']);
    await allFollow();
    expect(await primary()).toBe(other);
    const all = await acknowledged();
    const there = await rows(other);
    expect(all.filter(({ number }) => !there.has(number))).toEqual([]);
    console.log(`rotation: ${all.length} commits, at most ${longestGap(all).toFixed(1)} s without one`);
    expect(longestGap(all)).toBeLessThan(1.5 * ttl);
  } finally {
    await stopWriter();
  }
  await runJob();
});

test.each(['accept both', 'refuse the former'])(
  'passwords of members are rotated to the end after a kill at "%s", and the platform serves in between',
  async (phase) => {
    const names = ['postgres-delos', 'postgres-patroni', 'postgres-replicator'];
    await killedAfter(['rotate', ...names, '--json'], new RegExp(`s  ${phase}$`, 'm'), 1500);
    await startWriter('node-1');
    try {
      const authorization = `Bearer ${await token('admin')}`;
      const answer = await fetch(`${apiUrl}/jobs?cluster_name=default`, { headers: { authorization } });
      expect(answer.status).toBe(200);
      await allFollow();
      const done = await delosJson(z.object({ rotated: z.array(z.string()) }), ['rotate', '--all'], { timeout: 900 });
      expect([...done.rotated].sort()).toEqual(names);
      for (const name of ['delos', 'patroni', 'replicator']) {
        expect([name, await opens(name, await passwordOf(name))]).toEqual([name, true]);
      }
      await allFollow(60);
    } finally {
      await stopWriter();
    }
  },
);

describe('while a client writes', () => {
  let first: string;
  let before: string;

  beforeEach(async () => {
    await allFollow();
    first = await primary();
    if ((await nodeOf(first)) === 'node-1') {
      // The node with the control plane: its loss is another matter.
      const other = first === 'postgres-0' ? 'postgres-1' : 'postgres-0';
      await inPod(first, ['patronictl', 'switchover', '--candidate', other, '--force']);
      await allFollow();
      first = await primary();
    }
    before = await restarts();
    await startWriter('node-1');
  });
  afterEach(stopWriter);

  /** All that was acknowledged is there, and the longest time without a commit in parts of the ttl. */
  async function judged(): Promise<number> {
    const atLeast = (await acknowledged()).length + 40;
    const all = await until('the writer goes on', 60, async () => {
      const now = await acknowledged();
      return now.length > atLeast ? now : undefined;
    });
    await allFollow();
    const there = await rows(await primary());
    expect(all.filter(({ number }) => !there.has(number))).toEqual([]);
    const ratio = longestGap(all) / ttl;
    console.log(
      `${expect.getState().currentTestName}: ${all.length} commits, at most ${(ratio * ttl).toFixed(1)} s without one`,
    );
    return ratio;
  }

  test('the primary’s server is killed', async () => {
    await inPod(first, ['sh', '-c', 'kill -9 "$(head -n 1 "$PGDATA/postmaster.pid")"']);
    expect(await judged()).toBeLessThan(1.5);
    await runJob();
    expect(await restarts()).toBe(before);
  });

  test('the primary’s Pod is deleted', async () => {
    await kubectl(['delete', 'pod', '-n', 'delos', first, '--wait=false']);
    await until('another is the primary', 60, async () => ((await primary()) === first ? undefined : true));
    expect(await judged()).toBeLessThan(1.5);
    await runJob();
    expect(await restarts()).toBe(before);
  });

  test('the primary’s Pod is gone at once', async () => {
    await kubectl(['delete', 'pod', '-n', 'delos', first, '--grace-period=0', '--force']);
    await sleep(2 * ttl * 1000);
    expect(await judged()).toBeLessThan(1.5);
  });

  test('the primary’s node is cut off', async () => {
    const node = await nodeOf(first);
    await expectOk(delos(['cluster', 'node', 'cut', node]));
    try {
      await until('another is the primary', 2 * ttl, async () => ((await primary()) === first ? undefined : true));
      await sleep(5_000);
    } finally {
      await expectOk(delos(['cluster', 'node', 'mend', node]));
    }
    expect(await judged()).toBeLessThan(1.5);
  });

  test('the Kubernetes API is away for a minute: the primary stays the primary', async () => {
    const timeline = (await allFollow()).map(({ TL }) => TL);
    const end = Date.now() + 60_000;
    while (Date.now() < end) {
      for (const pid of apiServers()) process.kill(pid, 'SIGKILL');
      await sleep(300);
    }
    // What was killed so often is started again after a while.
    await until('the API answers', 240, async () =>
      (await delos(['kubectl', 'get', 'nodes'])).code === 0 ? true : undefined,
    );
    expect(await judged()).toBeLessThan(0.5);
    expect([await primary(), (await allFollow()).map(({ TL }) => TL)]).toEqual([first, timeline]);
  });

  test('a member loses its volume: it copies everything anew', async () => {
    const lost = ['postgres-0', 'postgres-1', 'postgres-2'].find((name) => name !== first) ?? '';
    await kubectl(['delete', 'pvc', '-n', 'delos', `data-${lost}`, '--wait=false']);
    await kubectl(['delete', 'pod', '-n', 'delos', lost]);
    expect(await judged()).toBeLessThan(0.5);
    expect((await rows(lost)).size).toBeGreaterThan(1000);
  });
});

test('a backup brings three members back, and one as well', async () => {
  const key = join(folder, 'key');
  const file = join(folder, 'all.backup');
  const { recipient } = await delosJson(z.object({ recipient: z.string() }), ['backup', '--new-key', key]);
  const had = await rows(await primary());
  await expectOk(delos(['backup', '--to', recipient, '--out', file, '--config', THREE]));
  for (const [config, pods] of [
    [THREE, ['postgres-0', 'postgres-1', 'postgres-2']],
    [ONE, ['postgres-0']],
  ] as const) {
    await expectOk(delos(['down', '--delete-data']));
    await expectOk(delos(['restore', file, '--key', key, '--config', config], { timeout: 1700 }));
    if (pods.length > 1) await allFollow();
    for (const pod of pods) expect((await rows(pod)).size).toBe(had.size);
  }
});
