import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { type CommandResult, execute, expectOk } from '../../../peers/src/command.ts';
import { allObjects } from '../../support/cluster/all-objects.ts';
import { machineTraces, processesNaming, tracesSince } from '../../support/cluster/host-traces.ts';
import { delos, TEST_INSTANCE } from '../../support/instance.ts';
import { until } from '../../support/until.ts';

/*
 * A cluster that somebody else runs (an embedded one, which is told to `up` by KUBECONFIG alone) is the same before the first `up` and after
 * the platform is taken away again, by the command and by plain Pulumi: each object of every kind, with labels, taints and finalizers.
 * Then the cluster itself goes, and the machine is as it was before.
 */

const ROOT = join(import.meta.dirname, '../../..');
const GROUND = `${TEST_INSTANCE}-ground`.slice(0, 20);
const GUEST = `${TEST_INSTANCE}-guest`.slice(0, 20);

let folder: string;
let env: Readonly<Record<string, string | undefined>>;
let host: readonly string[];
let before: ReadonlyMap<string, string>;

const guest = (args: readonly string[], timeout = 900): Promise<CommandResult> =>
  execute([join(ROOT, 'delos'), ...args], { cwd: ROOT, env, timeout });
const ground = (args: readonly string[]): Promise<string> =>
  expectOk(delos(args, { env: { DELOS_INSTANCE: GROUND, XDG_STATE_HOME: join(folder, 'ground') } }));
const kubectl = (args: readonly string[]): Promise<string> => ground(['kubectl', ...args]);
const up = (): Promise<string> => expectOk(guest(['up', '--config', join(folder, 'delos.yaml')]));

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'delos-destroyed-'));
  for (const name of ['tmp', 'state', 'ground']) await mkdir(join(folder, name));
  await writeFile(
    join(folder, 'delos.yaml'),
    `cluster: {engine: existing, context: delos-${GROUND}}\ngateway: {httpPort: 0, httpsPort: 0}\nservices: {objectStorage: {enabled: true, storage: 1Gi}}\n`,
  );
  host = await machineTraces();
  const { kubeconfig } = z
    .object({ kubeconfig: z.string() })
    .parse(JSON.parse(await ground(['cluster', 'up', '--json'])));
  const { KUBECONFIG: _, ...outer } = process.env;
  env = {
    ...outer,
    KUBECONFIG: kubeconfig,
    DELOS_INSTANCE: GUEST,
    TMPDIR: join(folder, 'tmp'),
    XDG_STATE_HOME: join(folder, 'state'),
  };
  before = await allObjects(kubectl);
  expect(before.size).toBeGreaterThan(100);
});

afterAll(async () => {
  await guest(['down', '--delete-data']);
  await ground(['cluster', 'down', '--delete-data']);
  await rm(folder, { recursive: true, force: true });
});

/** What differs from the cluster of before, a line each. */
async function differences(): Promise<readonly string[]> {
  const now = await allObjects(kubectl);
  return [
    ...[...now.keys()].filter((name) => !before.has(name)).map((name) => `new: ${name}`),
    ...[...before].flatMap(([name, content]) => {
      const other = now.get(name);
      return other === content
        ? []
        : [other === undefined ? `gone: ${name}` : `changed: ${name}: ${content} → ${other}`];
    }),
  ].sort();
}

const sameAsBefore = (): Promise<true> =>
  until('the cluster is as it was', 60, async (last) => {
    const different = await differences();
    last(different);
    return different.length === 0 || undefined;
  });

test('`down --delete-data` leaves the cluster as it was, and nothing of the instance on the machine', async () => {
  await up();
  expect((await differences()).length).toBeGreaterThan(60);
  await expectOk(guest(['down', '--delete-data']));
  await sameAsBefore();
  expect(await readdir(join(folder, 'state'), { recursive: true })).toEqual(['delos']);
  expect(await readdir(join(folder, 'tmp'))).toEqual([]);
  expect(await processesNaming(join(folder, 'state'))).toEqual([]);
});

test('`pulumi destroy` leaves what the agent made for projects alone, and `down --delete-data` takes that', async () => {
  await up();
  const variables = z.record(z.string(), z.string()).parse(JSON.parse(await expectOk(guest(['env', '--json']))));
  await expectOk(
    execute(['pulumi', 'destroy', '--yes', '--skip-preview'], {
      cwd: ROOT,
      env: { ...env, ...variables },
      timeout: 600,
    }),
  );
  const left = await until('the platform is gone', 60, async (last) => {
    const different = await differences();
    last(different);
    return different.some((line) => line.includes(' delos/')) ? undefined : different;
  });
  const namespaces = left.filter((line) => line.startsWith('new: Namespace '));
  expect(namespaces).toHaveLength(1);
  const [space = ''] = namespaces.map((line) => line.replace('new: Namespace /', ''));
  expect(left.filter((line) => !line.startsWith('new: Namespace ') && !line.includes(` ${space}/`))).toEqual([]);
  await expectOk(guest(['down', '--delete-data']));
  await sameAsBefore();
});

test('`down --delete-data` of the embedded cluster leaves the machine as it was', async () => {
  await ground(['down', '--delete-data']);
  await until('the machine is as it was', 30, async (last) => {
    const left = [...(await tracesSince(host, folder)), ...(await processesNaming(folder))];
    last(left);
    return left.length === 0 || undefined;
  });
  expect(await readdir(join(folder, 'ground'), { recursive: true })).toEqual(['delos']);
});
