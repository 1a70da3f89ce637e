import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { instancePaths } from '@delos/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type CommandResult, execute, expectOk } from '../../../peers/src/command.ts';
import { allNames } from '../../support/cluster/all-objects.ts';
import { machineTraces, processesNaming, tracesSince } from '../../support/cluster/host-traces.ts';
import { TEST_INSTANCE, upDocument } from '../../support/instance.ts';
import { stopped } from '../../support/killed-command.ts';
import { runSeed, seeded } from '../../support/random.ts';
import { until } from '../../support/until.ts';

/*
 * `up` is stopped at points that a seed gives: by SIGKILL of all its processes, or by Ctrl-C. They are spread over the build of an image, the
 * start of the cluster, Pulumi and the first job. Points come in chains: one `up` after another goes on with what the one before has left,
 * each is stopped, and the last runs to its end. Then all is as after an `up` that nobody stopped, on the cluster and on the machine.
 */

const ROOT = join(import.meta.dirname, '../../..');
/** Points of all chains together, and of one. */
const POINTS = Number(process.env.DELOS_TEST_POINTS ?? 20);
const CHAIN = 4;
const INSTANCE = `${TEST_INSTANCE}-stop`.slice(0, 20);
const seed = runSeed();
const random = seeded(seed);

/** A phase of `up`, and how many seconds of it a point may lie in. It can end sooner: the point then lies in the next one. */
const PHASES = [
  { name: 'cluster', seconds: 9 },
  { name: 'images', seconds: 9 },
  { name: 'platform', seconds: 25 },
  { name: 'platform', seconds: 50 },
  { name: 'first job', seconds: 4 },
] as const;

let folder: string;
let env: Readonly<Record<string, string | undefined>>;
let state: string;
let wanted: readonly string[];
let host: readonly string[];

const command = (args: readonly string[], timeout = 900): Promise<CommandResult> =>
  execute([join(ROOT, 'delos'), ...args], { cwd: ROOT, env, timeout });
const kubectl = (args: readonly string[]): Promise<string> => expectOk(command(['kubectl', ...args], 120));
const up = async () => upDocument.parse(JSON.parse(await expectOk(command(UP))));
const UP = ['up', '--json', '--config'];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'delos-stopped-'));
  const config = join(folder, 'delos.yaml');
  await writeFile(
    config,
    'cluster: {engine: embedded}\ngateway: {httpPort: 0, httpsPort: 0}\nmonitoring: {enabled: false}\n',
  );
  UP.push(config);
  const { KUBECONFIG: _, ...outer } = process.env;
  // All that a command may leave is in here: its home, its state, its temporary files and its part of the cache.
  env = {
    ...outer,
    HOME: join(folder, 'home'),
    TMPDIR: join(folder, 'tmp'),
    XDG_STATE_HOME: join(folder, 'state'),
    XDG_CACHE_HOME: join(folder, 'cache'),
    DELOS_INSTANCE: INSTANCE,
  };
  state = instancePaths(INSTANCE, env).state;
  for (const name of ['home', 'tmp', 'state']) await mkdir(join(folder, name));
  await shareCache(join(folder, 'cache/delos'));
  await command(['down', '--delete-data']);
  host = await machineTraces();
  await up();
  wanted = await settled();
});

afterAll(async () => {
  await command(['down', '--delete-data']);
  await rm(folder, { recursive: true, force: true });
});

/** The cache of this machine, but for the images, of which this run has a copy: it builds one of them again and again. */
async function shareCache(cache: string): Promise<void> {
  const real = instancePaths(TEST_INSTANCE, process.env).cache;
  await mkdir(join(cache, 'images'), { recursive: true });
  for (const name of await readdir(real)) {
    if (name !== 'images') await symlink(join(real, name), join(cache, name));
  }
  await symlink(join(real, 'images/buildah'), join(cache, 'images/buildah'));
  await promisify(execFile)('cp', ['-al', join(real, 'images/store'), join(cache, 'images/store')]);
  await cp(join(real, 'images/bundles'), join(cache, 'images/bundles'), { recursive: true });
}

/** The image of our own services is to be built anew. */
const forgetImage = (): Promise<void> => {
  const repository = 'images/store/docker/registry/v2/repositories/registry.delos.internal/delos/runtime';
  return rm(join(folder, 'cache/delos', repository), { recursive: true, force: true });
};

/** Names of all objects, once no job's Pod is there any more. */
async function settled(): Promise<readonly string[]> {
  await until('no job is left', 120, async (last) => {
    const pods = await kubectl([
      'get',
      'pods',
      '--all-namespaces',
      '--selector',
      'delos.dev/project',
      '--output',
      'name',
    ]);
    last(pods);
    return pods === '' || undefined;
  });
  return allNames(kubectl);
}

/** Files of the instance that only an unfinished write leaves, and temporary files of any kind. */
async function halfWritten(): Promise<readonly string[]> {
  const temporary = await readdir(join(folder, 'tmp'));
  const all = [
    ...(await readdir(state, { recursive: true })).filter(
      (file) => !/^cluster\/(etcd|node|nodes|data|volumes)\//.test(file),
    ),
    ...(await readdir(join(folder, 'cache/delos/images'), { recursive: true })).filter(
      (file) => !file.startsWith('store/docker'),
    ),
  ];
  return [...temporary, ...all.filter((file) => /\.tmp$|\.new-|\.partial$|(^|\/)locks\/.*\.json$/.test(file))];
}

const chains = Array.from({ length: Math.ceil(POINTS / CHAIN) }, (_, chain) =>
  Array.from({ length: Math.min(CHAIN, POINTS - chain * CHAIN) }, () => {
    const at = Math.floor(random() * PHASES.length);
    return { at, part: random(), by: random() < 0.5 ? ('kill' as const) : ('interrupt' as const) };
    // Later points after earlier ones, since what is done is not done again.
  }).toSorted((one, other) => one.at - other.at),
);

describe(`seed ${seed}`, () => {
  test.each(chains.map((points, chain) => ({ chain: chain + 1, points })))(
    'chain $chain: whatever was stopped, the next `up` makes it whole, and nothing else is there',
    async ({ points }) => {
      await expectOk(command(['down', '--delete-data']));
      await forgetImage();
      for (const { at, part, by } of points) {
        const phase = PHASES[at] ?? PHASES[0];
        const milliseconds = Math.round(part * phase.seconds * 1000);
        const { code, before, stderr } = await stopped({
          args: UP,
          said: new RegExp(`s {2}${phase.name}$`, 'm'),
          milliseconds,
          by,
          env,
          pulumiHome: join(state, 'pulumi/home'),
        });
        const last = stderr.trimEnd().split('\n').at(-1);
        process.stdout.write(
          `${by} ${milliseconds} ms after ${phase.name}: ${before ? 'it had ended' : 'stopped'}, ${code}: ${last}\n`,
        );
        if (before) expect(code, stderr).toBe(0);
        else if (by === 'interrupt') expect([0, 130], stderr).toContain(code);
      }
      await up();
      const { changes } = await up();
      expect(changes).toMatchObject({ create: 0, update: 0, replace: 0, delete: 0 });
      expect(await settled()).toEqual(wanted);
      expect(await halfWritten()).toEqual([]);
      const processes = await processesNaming(join(state, 'pulumi'));
      expect(processes).toEqual([]);
      await expectOk(command(['down', '--delete-data']));
      await until('nothing is left on the machine', 30, async (last) => {
        const left = [...(await tracesSince(host, folder)), ...(await processesNaming(folder))];
        last(left);
        return left.length === 0 || undefined;
      });
      expect(await readdir(join(folder, 'state'), { recursive: true })).toEqual(['delos']);
      expect(await readdir(join(folder, 'tmp'))).toEqual([]);
    },
  );
});
