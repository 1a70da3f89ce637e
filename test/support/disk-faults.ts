import { existsSync, readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { instancePaths } from '@delos/core';
import { expect } from 'vitest';
import { z } from 'zod';
import { loopsOf } from '../../cluster/src/disks/loops.ts';
import { layoutOf } from '../../cluster/src/embedded/spec.ts';
import { killNodePart } from './cluster/node.ts';
import { KILLED_PARTS, killPart, submit } from './faults.ts';
import { TEST_INSTANCE } from './instance.ts';
import { seeded } from './random.ts';
import type { Api, JobDocument } from './service/api.ts';
import { until } from './until.ts';

const diskDocument = z.looseObject({ id: z.string(), name: z.string().nullish() });
export type DiskDocument = z.infer<typeof diskDocument>;

const SIZE = 8 * 2 ** 20;
const PATHS = instancePaths(TEST_INSTANCE, process.env);
const IMAGES = layoutOf(PATHS.state).disks;

/**
 * A job that adds one to the number on its disk. A lock there tells of two writers at once, and a job that runs twice
 * counts twice.
 */
const count = (seconds: string): string => {
  const steps = [
    'mkdir /mnt/lock || exit 90',
    'n=$(cat /mnt/n 2>/dev/null || echo 0)',
    `sleep ${seconds}`,
    'echo $((n+1)) > /mnt/n',
    'sync',
    'rmdir /mnt/lock',
  ];
  return `sh -c '${steps.join('; ')}'`;
};

export interface DiskFaults {
  readonly disks: number;
  /** Jobs that write, over all disks in turn. */
  readonly jobs: number;
  readonly kills: number;
  readonly seed: number;
}

/**
 * Disks are made, written by jobs and removed, while the services and the node's keeper of disks are killed at instants
 * that the seed determines.
 * @param between what happens when all has been written
 */
export async function disksUnderFaults(api: Api, faults: DiskFaults, between?: BetweenPhases): Promise<void> {
  const { seed, jobs, kills } = faults;
  const imagesBefore = images();
  const killer = startKiller(kills, seed);
  const disks: DiskDocument[] = [];
  for (let i = 0; i < faults.disks; i += 1) disks.push(await makeDisk(api, `fault-${seed}-${i}`));
  for (const job of await writeInTurn(api, disks, faults)) {
    expect(job.status, JSON.stringify(job.history)).toBe('succeeded');
  }
  expect(await killer).toBeGreaterThanOrEqual(kills);
  const listed = (await list(api)).filter(({ name }) => name?.startsWith(`fault-${seed}-`));
  expect(listed.map(({ id }) => id).sort()).toEqual(disks.map(({ id }) => id).sort());

  const written = disks.map((_, i) => String(Math.floor(jobs / disks.length) + (i < jobs % disks.length ? 1 : 0)));
  const numbers = (round: string) =>
    Promise.all(disks.map(({ id }, i) => numberOn(api, id, `read-${seed}-${i}-${round}`)));
  expect(await numbers('first')).toEqual(written);
  if (between !== undefined) {
    await between(disks);
    expect(await numbers('second')).toEqual(written);
  }

  const again = startKiller(Math.ceil(kills / 2), seed + 2);
  for (const { id } of disks) await removeDisk(api, id);
  await again;
  await until('nothing is left of the disks', 180, async (last) => {
    const left = (await list(api).catch(() => undefined))?.filter(({ id }) => disks.some((disk) => disk.id === id));
    last([left, images(), loopsOf(IMAGES)]);
    return left?.length === 0 && images().length === imagesBefore.length ? true : undefined;
  });
  expect(loopsOf(IMAGES).length).toBe(imagesBefore.length);
}

export type BetweenPhases = (disks: readonly DiskDocument[]) => Promise<void>;

async function writeInTurn(api: Api, disks: readonly DiskDocument[], faults: DiskFaults) {
  const instants = seeded(faults.seed + 1);
  const jobs: JobDocument[] = [];
  for (let i = 0; i < faults.jobs; i += 1) {
    const volumes = [mountOf(disks[i % disks.length]?.id ?? '')];
    jobs.push(
      await submit(api, `disk-${faults.seed}-${i}`, count((instants() * 2).toFixed(1)), { disk_volumes: volumes }),
    );
    await sleep(instants() * 600);
  }
  const ended: JobDocument[] = [];
  for (const { id } of jobs) ended.push(await api.ended(id, 900));
  return ended;
}

/** The number that a further job finds on a disk. */
async function numberOn(api: Api, disk: string, name: string): Promise<string> {
  const { id } = await submit(api, name, 'cat /mnt/n', { disk_volumes: [mountOf(disk, true)] });
  await api.ended(id, 300);
  const log = await until(`log of ${id}`, 60, () => api.log(id).catch(() => undefined));
  return log.toString().trim();
}

/** Posts until it is certain: a disk whose answer was lost is found again by its name. */
async function makeDisk(api: Api, name: string): Promise<DiskDocument> {
  const request = { storage: SIZE, life_span: null, name, org_name: 'default', project_name: 'default' };
  return await until(`disk ${name} is accepted`, 180, async (last) => {
    const answer = await api.call('POST', '/disk', request).catch((error: unknown) => last(String(error)));
    if (answer?.ok === true) return diskDocument.parse(await answer.json());
    last(answer?.status);
    return (await list(api).catch(() => undefined))?.find((disk) => disk.name === name);
  });
}

async function removeDisk(api: Api, id: string): Promise<void> {
  await until(`disk ${id} is asked to go`, 180, async (last) => {
    const answer = await api.call('DELETE', `/disk/${id}`).catch((error: unknown) => last(String(error)));
    last(answer?.status);
    return answer?.ok === true || answer?.status === 404 ? true : undefined;
  });
}

async function list(api: Api): Promise<readonly DiskDocument[]> {
  const answer = await api.call('GET', '/disk');
  if (!answer.ok) throw new Error(`GET /disk: ${answer.status}`);
  return z.array(diskDocument).parse(await answer.json());
}

export const mountOf = (disk: string, readOnly = false) => ({
  src_disk_uri: `disk://default/default/default/${disk}`,
  dst_path: '/mnt',
  read_only: readOnly,
});

const images = (): readonly string[] => (existsSync(IMAGES) ? readdirSync(IMAGES) : []);

/** @returns how many processes it killed, at its end */
function startKiller(kills: number, seed: number): Promise<number> {
  const random = seeded(seed);
  const parts = [...KILLED_PARTS, 'disks'];
  const killing = (async () => {
    let killed = 0;
    while (killed < kills) {
      await sleep(200 + random() * 2300);
      const part = parts[Math.floor(random() * parts.length)] ?? 'agent';
      if (part === 'disks' ? killNodePart(PATHS, part) : await killPart(part, new Map())) killed += 1;
    }
    return killed;
  })();
  // Its failure is told where it is awaited.
  killing.catch(() => undefined);
  return killing;
}
