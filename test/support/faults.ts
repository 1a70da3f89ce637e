import { setTimeout as sleep } from 'node:timers/promises';
import { type ContainerProcess, serviceProcesses, tryPeakMemory } from './cluster/node.ts';
import { seeded } from './random.ts';
import type { Api, JobDocument } from './service/api.ts';
import { until } from './until.ts';

export const KILLED_PARTS = ['control-api', 'scheduler', 'agent'] as const;

/** Highest resident memory seen of each service, bytes. */
export type Peaks = Map<string, number>;

export async function notePeaks(part: string, processes: readonly ContainerProcess[], peaks: Peaks): Promise<void> {
  for (const { pid } of processes) {
    peaks.set(part, Math.max(peaks.get(part) ?? 0, (await tryPeakMemory(pid)) ?? 0));
  }
}

/** SIGKILL to every process of a service; whether there was one. */
export async function killPart(part: string, peaks: Peaks): Promise<boolean> {
  const processes = await serviceProcesses(part);
  await notePeaks(part, processes, peaks);
  let killed = false;
  for (const { pid } of processes) {
    try {
      process.kill(pid, 'SIGKILL');
      killed = true;
    } catch {
      // It ended by itself meanwhile.
    }
  }
  return killed;
}

/** Posts until it is certain: an answer that was lost after the row was written is found again by the job's name. */
export function submit(api: Api, name: string, command: string, more: object = {}): Promise<JobDocument> {
  return until(`job ${name} is accepted`, 180, async (last) => {
    try {
      return await api.create({ name, command, ...more });
    } catch (error) {
      last(String(error));
      const listed = await api.call('GET', `/jobs?name=${name}`).catch(() => undefined);
      if (listed?.ok !== true) return undefined;
      const { jobs } = (await listed.json()) as { jobs: JobDocument[] };
      return jobs[0];
    }
  });
}

export interface FaultRun {
  /** In the order of their submission. */
  readonly jobs: readonly JobDocument[];
  readonly ended: readonly JobDocument[];
  readonly kills: number;
}

/** Jobs, sent and run while the services are killed at instants that the seed determines. */
export async function runUnderFaults(
  api: Api,
  options: { readonly jobs: number; readonly kills: number; readonly seed: number; readonly peaks: Peaks },
): Promise<FaultRun> {
  const random = seeded(options.seed);
  let kills = 0;
  const killer = (async () => {
    while (kills < options.kills) {
      await sleep(200 + random() * 2300);
      const part = KILLED_PARTS[Math.floor(random() * KILLED_PARTS.length)] ?? 'agent';
      if (await killPart(part, options.peaks)) kills += 1;
    }
  })();
  // Its failure is told where it is awaited.
  killer.catch(() => undefined);
  const jobs: JobDocument[] = [];
  const instants = seeded(options.seed + 1);
  for (let i = 0; i < options.jobs; i += 1) {
    const seconds = (instants() * 3).toFixed(1);
    jobs.push(
      await submit(api, `fault-${options.seed}-${i}`, `sh -c "echo begin ${i}; sleep ${seconds}; echo end ${i}"`),
    );
    await sleep(instants() * 800);
  }
  await killer;
  const ended: JobDocument[] = [];
  for (const { id } of jobs) ended.push(await api.ended(id, 600));
  return { jobs, ended, kills };
}
