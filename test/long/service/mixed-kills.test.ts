import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { instancePaths, PULL_SECRET_PREFIX, projectNamespace } from '@delos/core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { layoutOf } from '../../../cluster/src/embedded/spec.ts';
import type { ApoloClient } from '../../../peers/src/apolo.ts';
import type { CommandResult } from '../../../peers/src/command.ts';
import { killNodePart } from '../../support/cluster/node.ts';
import { type ContainerStarts, watchContainerStarts } from '../../support/container-starts.ts';
import { killPart } from '../../support/faults.ts';
import { delosJson, kubectl, loggedIn, TEST_INSTANCE, testPlatform, token } from '../../support/instance.ts';
import { runSeed, seeded } from '../../support/random.ts';
import { type Crane, crane } from '../../support/registry/crane.ts';
import { type Api, api, IMAGE } from '../../support/service/api.ts';
import { until } from '../../support/until.ts';

/*
 * What people do at the same time by the official clients, while SIGKILL comes to one service after another. What was accepted
 * happened once, what was not says so in words, and nothing is left over.
 */

const SECONDS = Number(process.env.DELOS_TEST_KILL_SECONDS ?? 300);
/** In whatever order the seed says; what is named more than once comes more often. */
const KILLED = [
  ...[
    'control-api',
    'control-api',
    'scheduler',
    'agent',
    'agent',
    'files',
    'files',
    'object-storage',
    'object-storage',
  ],
  ...['registry', 'registry', 'gateway', 'job-router', 'redis', 'postgres', 'identity', 'keycloak', 'disks'],
] as const;
const MIB = 2 ** 20;
const NAMESPACE = projectNamespace('default', 'default');
const seed = runSeed();

interface Accepted {
  readonly jobs: string[];
  readonly files: Map<string, Buffer>;
  readonly objects: Map<string, Buffer>;
  readonly images: Map<string, string>;
  /** Names that were made and are to be there. */
  readonly disks: Set<string>;
  readonly secrets: Set<string>;
  readonly credentials: Set<string>;
}

let platform: Api;
let ann: ApoloClient;
let mine: Crane;
let host: string;
let starts: ContainerStarts;
let work: string;
beforeAll(async () => {
  host = new URL((await testPlatform()).origin).host;
  [platform, ann] = [await api('ann'), await loggedIn('ann')];
  mine = await crane(host, { user: 'token', password: await token('ann', '6h') });
  starts = await watchContainerStarts();
  work = join(ann.home, 'work');
  await mkdir(work);
  await ann.ok(['blob', 'mkbucket', '--name', 'mixed']);
  await ann.ok(['mkdir', 'storage:mixed']);
});
afterAll(async () => {
  await starts?.stop();
  await mine?.stop();
  await ann?.close();
});

/** Whatever the client was told; what failed has to say why. */
const refusals: string[] = [];
const tried: Record<string, { done: number; failed: number }> = {};
function counted(what: string, { code, stdout, stderr }: CommandResult): boolean {
  const count = tried[what] ?? { done: 0, failed: 0 };
  tried[what] = count;
  if (code === 0) count.done += 1;
  else {
    count.failed += 1;
    refusals.push(`${what}: ${stderr}${stdout}`);
  }
  return code === 0;
}

test(`all that was accepted in ${SECONDS} s of SIGKILL happened once, and nothing is left over (seed ${seed})`, async () => {
  const end = Date.now() + SECONDS * 1000;
  const accepted: Accepted = {
    jobs: [],
    files: new Map(),
    objects: new Map(),
    images: new Map(),
    disks: new Set(),
    secrets: new Set(),
    credentials: new Set(),
  };
  const random = seeded(seed);
  const kills: Record<string, number> = {};
  const killer = async (): Promise<void> => {
    while (Date.now() < end) {
      await sleep(1_500 + random() * 3_000);
      const part = KILLED[Math.floor(random() * KILLED.length)] ?? 'agent';
      const paths = instancePaths(TEST_INSTANCE, process.env);
      const killed = part === 'disks' ? killNodePart(paths, part) : await killPart(part, new Map());
      if (killed) kills[part] = (kills[part] ?? 0) + 1;
    }
  };
  const attempts = { jobs: new Set<string>(), files: new Map<string, Buffer>(), objects: new Map<string, Buffer>() };
  const loop = async (body: (nth: number) => Promise<void>): Promise<void> => {
    for (let nth = 0; Date.now() < end; nth += 1) await body(nth);
  };
  const jobs = loop(async (nth) => {
    const name = `mixed-${seed}-${nth}`.slice(0, 40);
    attempts.jobs.add(name);
    const args = ['run', '--detach', '--no-wait-start', '-s', 'tiny', '-n', name, IMAGE, '--'];
    const long = nth % 4 === 3;
    const script = long ? 'sleep 3000' : `echo begin ${name}; sleep 1; echo end ${name}`;
    if (!counted('run', await ann.run([...args, 'sh', '-c', script]))) return;
    if (long) counted('kill', await ann.run(['kill', name]));
    else accepted.jobs.push(name);
  });
  const copies = loop(async (nth) => {
    const bytes = randomBytes(nth % 4 === 3 ? 5 * MIB + nth : 1 + ((nth * 9973) % MIB));
    const [name, kind] = [`f-${nth}`, nth % 2 === 0 ? 'files' : 'objects'] as const;
    await writeFile(join(work, name), bytes, { mode: 0o644 });
    attempts[kind].set(name, bytes);
    const target =
      kind === 'files' ? ['storage', 'cp', name, `storage:mixed/${name}`] : ['blob', 'cp', name, `blob:mixed/${name}`];
    if (counted(target[0] ?? '', await ann.run(target, { cwd: work }))) accepted[kind].set(name, bytes);
  });
  /** Makes one, and removes every second one again. */
  const made = async (
    what: string,
    {
      name,
      make,
      remove,
    }: { readonly name: string; readonly make: readonly string[]; readonly remove: readonly string[] },
    kept: Set<string>,
    nth: number,
  ): Promise<void> => {
    if (!counted(`${what}, made`, await ann.run(make))) return;
    kept.add(name);
    // Whether it is there after a removal that failed nobody knows.
    if (nth % 2 === 1 && (counted(`${what}, removed`, await ann.run(remove)) || kept.delete(name))) kept.delete(name);
  };
  const objects = loop(async (nth) => {
    const name = `m-${nth}`;
    const disk = { name, make: ['disk', 'create', '2M', '--name', name], remove: ['disk', 'rm', name] };
    const secret = { name, make: ['secret', 'add', name, `value-${nth}`], remove: ['secret', 'rm', name] };
    const credential = {
      name,
      make: ['blob', 'mkcredentials', '--name', name, '--read-only', 'mixed'],
      remove: ['blob', 'rmcredentials', name],
    };
    await made('disk', disk, accepted.disks, nth);
    await made('secret', secret, accepted.secrets, nth);
    await made('credential', credential, accepted.credentials, nth);
  });
  const images = loop(async (nth) => {
    const reference = `${host}/default/default/mixed:${nth}`;
    const digest = await mine.push(reference, `content ${nth}\n`).catch((error: unknown) => {
      refusals.push(`push: ${String(error)}`);
      return '';
    });
    if (digest !== '') accepted.images.set(reference, digest);
    await sleep(500);
  });
  await Promise.all([killer(), jobs, copies, objects, images]);
  process.stderr.write(`${JSON.stringify({ kills, tried, images: accepted.images.size })}\n`);

  // Each service was killed, and people got something done all the same.
  expect(Object.keys(kills).length).toBeGreaterThan(10);
  for (const part of ['control-api', 'agent', 'files', 'object-storage', 'registry'])
    expect(kills[part], part).toBeGreaterThan(2);
  expect(accepted.jobs.length).toBeGreaterThan(SECONDS / 20);
  for (const words of refusals) {
    expect(words).toMatch(/\S/);
    expect(words).not.toContain('Traceback');
  }

  await until('the platform answers again', 180, async (last) => {
    const listed = await ann.run(['ps']);
    last(listed.stderr);
    return listed.code === 0 ? true : undefined;
  });
  // Jobs: each accepted one is there once, ran once, and its log is whole; of those in doubt there is at most one.
  const counts = new Map<string, readonly string[]>();
  for (const name of attempts.jobs) {
    const { jobs: found } = z
      .object({ jobs: z.array(z.looseObject({ id: z.string() })) })
      .parse(await (await platform.call('GET', `/jobs?name=${name}`)).json());
    expect(found.length, name).toBeLessThanOrEqual(1);
    const [{ id } = { id: '' }] = found;
    if (!accepted.jobs.includes(name)) {
      if (id !== '') await platform.call('DELETE', `/jobs/${id}`);
      continue;
    }
    const job = await platform.ended(id, 600);
    expect(job.status, `${name}: ${JSON.stringify(job.history)}`).toBe('succeeded');
    expect((await platform.log(id)).toString()).toBe(`begin ${name}\nend ${name}\n`);
    counts.set(id, []);
  }
  const started = await starts.counts();
  for (const id of counts.keys())
    expect(started.get(id), `containers of ${id} that containerd started`).toHaveLength(1);

  // Files and objects: whole where accepted; where refused, whole or not there.
  const back = join(ann.home, 'back');
  await mkdir(back);
  await ann.ok(['storage', 'cp', '-r', '-T', 'storage:mixed', join(back, 'files')], { timeout: 300 });
  await ann.ok(['blob', 'cp', '-r', '-T', 'blob:mixed', join(back, 'objects')], { timeout: 300 });
  for (const kind of ['files', 'objects'] as const) {
    const there = readdirSync(join(back, kind));
    for (const name of accepted[kind].keys()) expect(there, `${kind}, accepted`).toContain(name);
    for (const name of there) {
      const same = attempts[kind].get(name)?.equals(await readFile(join(back, kind, name)));
      expect(same, `${kind}: ${name} is whole`).toBe(true);
    }
  }
  const uploads = join(layoutOf(instancePaths(TEST_INSTANCE, process.env).state).files, '.delos/uploads');
  await until('no upload of a file is left', 120, async (last) => {
    const left = readdirSync(uploads);
    last(left);
    return left.length === 0 ? true : undefined;
  });

  for (const [reference, digest] of accepted.images) expect(await mine.ok('digest', reference)).toContain(digest);

  // What was made and not removed is there once; then all of it goes, and nothing stays behind.
  const listed = {
    disks: await ann.ok(['disk', 'ls', '--long-format']),
    secrets: await ann.ok(['secret', 'ls']),
    credentials: await ann.ok(['blob', 'lscredentials']),
  };
  const times = (text: string, name: string): number => text.split(/[\s:/]+/).filter((word) => word === name).length;
  for (const [kind, text] of Object.entries(listed) as [keyof typeof listed, string][])
    for (const name of accepted[kind]) expect(times(text, name), `${kind}: ${name}\n${text}`).toBe(1);
  const ids = z.array(z.looseObject({ id: z.string() }));
  for (const path of ['/disk', '/buckets/persistent_credentials']) {
    const all = ids.parse(await (await platform.call('GET', path)).json());
    for (const { id } of all) expect((await platform.call('DELETE', `${path}/${id}`)).status, id).toBeLessThan(300);
  }
  const claims = z.object({ items: z.array(z.object({ metadata: z.object({ name: z.string() }) })) });
  for (const kind of ['persistentvolumeclaims', 'pods', 'secrets'] as const) {
    await until(`no ${kind} are left of jobs and disks`, 180, async (last) => {
      const { items } = claims.parse(JSON.parse(await kubectl(['get', kind, '-n', NAMESPACE, '-o', 'json'])));
      const left = items.map(({ metadata }) => metadata.name).filter((name) => !name.startsWith(PULL_SECRET_PREFIX));
      last(left);
      // Files of the project are mounted by a claim that stays.
      return left.every((name) => kind === 'persistentvolumeclaims' && !name.startsWith('disk-')) ? true : undefined;
    });
  }
  await delosJson(z.looseObject({ blobs: z.number() }), ['images', 'collect', '--unused-for', '1s']);
  for (const [reference] of accepted.images) expect((await mine.content(reference)).stdout).toMatch(/^content \d+\n$/);
});
