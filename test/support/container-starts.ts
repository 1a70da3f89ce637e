import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { instancePaths } from '@delos/core';
import { z } from 'zod';
import { type RunningCommand, start } from '../../peers/src/command.ts';
import { TEST_INSTANCE } from './instance.ts';
import { until } from './until.ts';

const container = z.object({
  ID: z.string(),
  Labels: z.record(z.string(), z.string()).nullish(),
});

/**
 * What containerd itself says it started, from its own event stream: the judge of "never twice", independent of our
 * rows, of the API server and of the kubelet.
 */
export interface ContainerStarts {
  /** Pod name → ids of its `main` containers that were started, sandboxes aside. */
  counts(): Promise<ReadonlyMap<string, readonly string[]>>;
  stop(): Promise<void>;
}

export async function watchContainerStarts(): Promise<ContainerStarts> {
  const events = start(await inNode(['ctr', '--namespace', 'k8s.io', 'events']), { timeout: 3600 });
  // The stream has begun once it shows something; a listing of our own makes no event, so only its life is checked.
  await until('containerd tells its events', 20, async () => (events.child.exitCode === null ? true : undefined));
  const pods = new Map<string, { pod: string; container: string }>();
  const poll = setInterval(() => void learn(events, pods), 1000);
  return {
    counts: async () => {
      await learn(events, pods);
      const started = new Map<string, string[]>();
      for (const id of startedIds(events.stdout())) {
        const known = pods.get(id);
        if (known === undefined)
          throw new Error(`containerd started ${id}, which was gone before it could be looked at`);
        if (known.container !== 'main') continue;
        started.set(known.pod, [...(started.get(known.pod) ?? []), id]);
      }
      return started;
    },
    stop: async () => {
      clearInterval(poll);
      events.child.kill('SIGTERM');
      await events.end;
    },
  };
}

function startedIds(stream: string): readonly string[] {
  const ids = stream
    .split('\n')
    .filter((line) => line.includes('/tasks/start '))
    .flatMap((line) => /"container_id":"([0-9a-f]{64})"/.exec(line)?.[1] ?? []);
  return [...new Set(ids)];
}

const asked = new WeakMap<RunningCommand, Set<string>>();

/** Labels of containers that were started and not looked at yet; they are gone once the kubelet has removed them. */
async function learn(events: RunningCommand, pods: Map<string, { pod: string; container: string }>): Promise<void> {
  const seen = asked.get(events) ?? new Set<string>();
  asked.set(events, seen);
  for (const id of startedIds(events.stdout())) {
    if (seen.has(id)) continue;
    seen.add(id);
    const { stdout } = await start(await inNode(['ctr', '--namespace', 'k8s.io', 'containers', 'info', id])).end;
    const info = container.safeParse(tryJson(stdout));
    const labels = info.data?.Labels ?? {};
    const pod = labels['io.kubernetes.pod.name'];
    if (pod !== undefined) pods.set(id, { pod, container: labels['io.kubernetes.container.name'] ?? 'sandbox' });
  }
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A command line that runs in the node's own mount and network namespaces. */
export async function inNode(command: readonly string[]): Promise<string[]> {
  const { state } = instancePaths(TEST_INSTANCE, process.env);
  const { init } = z
    .looseObject({ init: z.object({ pid: z.number() }) })
    .parse(JSON.parse(await readFile(join(state, 'run/host.json'), 'utf8')));
  return ['nsenter', '-t', String(init.pid), '--mount', '--net', '--', ...command];
}
