import { readdir, readFile } from 'node:fs/promises';
import { z } from 'zod';
import { kubectl } from '../instance.ts';

/** A process of a container, as the machine sees it. */
export interface ContainerProcess {
  readonly pid: number;
  readonly containerId: string;
}

const podList = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ name: z.string() }),
      status: z.object({
        containerStatuses: z
          .array(z.object({ containerID: z.string().default(''), restartCount: z.number() }))
          .default([]),
      }),
    }),
  ),
});

/** The processes of a service's containers now; empty while it starts again. */
export async function serviceProcesses(
  part: string,
  namespace = 'delos',
  label = 'app.kubernetes.io/name',
): Promise<readonly ContainerProcess[]> {
  const text = await kubectl(['get', 'pods', '-n', namespace, '-l', `${label}=${part}`, '-o', 'json']);
  const ids = podList
    .parse(JSON.parse(text))
    .items.flatMap(({ status }) => status.containerStatuses)
    .map(({ containerID }) => containerID.replace(/^\w+:\/\//, ''))
    .filter((id) => id !== '');
  return (await Promise.all(ids.map(processesOf))).flat();
}

/** Pids in the machine's own numbering: the node has a PID namespace, the machine sees into it. */
export async function processesOf(containerId: string): Promise<ContainerProcess[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found: ContainerProcess[] = [];
  for (const pid of pids) {
    const cgroup = await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => '');
    if (cgroup.includes(containerId)) found.push({ pid: Number(pid), containerId });
  }
  return found;
}

/** Peak resident memory of a process so far, bytes; undefined once it has ended. */
export async function tryPeakMemory(pid: number): Promise<number | undefined> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const kib = /^VmHWM:\s+(\d+) kB/m.exec(status)?.[1];
  return kib === undefined ? undefined : Number(kib) * 1024;
}
