import { readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import type { InstancePaths } from '@delos/core';
import { findByArgument, processesIn, tryPidNamespace } from '@delos/host';
import { z } from 'zod';
import { type Layout, layoutOf } from '../../../cluster/src/embedded/spec.ts';
import { tryReadHostStatus, tryReadNodeStatus } from '../../../cluster/src/embedded/status.ts';
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

/** SIGKILL to a part of the embedded node; whether it ran. The node's supervisor starts it again. */
export function killNodePart(paths: Pick<InstancePaths, 'state'>, name: string): boolean {
  const layout = layoutOf(paths.state);
  const id = tryReadNodeStatus(layout)?.parts.find((part) => part.name === name)?.pid ?? -1;
  const pid = nodeProcesses(layout).get(id);
  if (pid === undefined) return false;
  try {
    process.kill(pid, 'SIGKILL');
    return true;
  } catch {
    // It ended by itself meanwhile.
    return false;
  }
}

/** Ids of the processes of the node's own PID namespace on this machine, by their id within it. */
export function nodeProcesses(layout: Layout): ReadonlyMap<number, number> {
  const init = tryReadHostStatus(layout)?.init?.pid;
  const namespace = init === undefined ? undefined : tryPidNamespace(init);
  if (namespace === undefined) return new Map();
  return new Map(
    processesIn(namespace).flatMap(({ pid }) => {
      const inside = /^NSpid:.*\t(\d+)$/m.exec(statusOf(pid))?.[1];
      return inside === undefined ? [] : [[Number(inside), pid] as const];
    }),
  );
}

/** '' for a process that has ended. */
function statusOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8');
  } catch {
    return '';
  }
}

/** SIGKILL to all of an embedded node: what holds it up on this machine, and everything in it. */
export function killNode(paths: Pick<InstancePaths, 'state'>): void {
  for (const word of [`delos-host:${paths.state}`, `delos-node:${paths.state}`]) {
    for (const { pid } of findByArgument(word)) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch (error) {
        // One that ended with the one killed before it.
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
      }
    }
  }
}

/** Peak resident memory of a process so far, bytes; undefined once it has ended. */
export async function tryPeakMemory(pid: number): Promise<number | undefined> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const kib = /^VmHWM:\s+(\d+) kB/m.exec(status)?.[1];
  return kib === undefined ? undefined : Number(kib) * 1024;
}
