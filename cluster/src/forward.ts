import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { DelosError, type InstancePaths } from '@delos/core';
import {
  canBind,
  commandLine,
  findByArgument,
  freePort,
  kill,
  type ProcessIdentity,
  portTaken,
  tryReadJson,
  waitUntil,
  writeAtomic,
} from '@delos/host';
import { z } from 'zod';
import type { ClusterHandle } from './engine.ts';

/*
 * The way to a Service of a cluster whose nodes are elsewhere and that has no load balancer for it: kubectl's
 * port-forward, kept by a process that outlives the command and starts it again whenever it ends (with the Pod it led
 * to, say).
 */

/** A loopback port of this machine, and the node port that stands for what it leads to. */
export interface LoopbackPort {
  readonly host: number;
  readonly node: number;
}

export interface ForwardedService {
  readonly namespace: string;
  readonly name: string;
  readonly ports: readonly { readonly host: number; readonly service: number }[];
}

const OPEN_LIMIT = 60_000;
const settledFile = z.object({ ports: z.array(z.object({ host: z.number(), node: z.number() })) });
const fileOf = (paths: InstancePaths): string => join(paths.state, 'cluster', 'forwards.json');
const markerOf = (paths: InstancePaths): string => `delos-forward:${paths.state}`;

// $0 is the marker by which the process is found. SIGKILL of the group ends both.
const LOOP = 'while :; do "$@"; sleep 1; done';

/**
 * Decides which ports of loopback the forward takes: those asked for; for 0 the one that was had before, else a free
 * one.
 * @throws DelosError ERR_PORT_TAKEN
 */
export async function settlePorts(
  paths: InstancePaths,
  ports: readonly LoopbackPort[],
): Promise<readonly LoopbackPort[]> {
  const before = tryReadJson(fileOf(paths), settledFile)?.ports ?? [];
  const running = findByArgument(markerOf(paths)).length > 0;
  const settled: LoopbackPort[] = [];
  for (const { host, node } of ports) {
    const kept = before.find((port) => port.node === node)?.host;
    const port = host !== 0 ? host : (kept ?? (await freePort()));
    if (!(running && port === kept) && !(await canBind(port))) throw portTaken(port);
    settled.push({ host: port, node });
  }
  writeAtomic(fileOf(paths), JSON.stringify({ ports: settled }));
  return settled;
}

/**
 * Makes ports of loopback lead to a Service until `endForward`, and waits until they do.
 * @param kube the Kubernetes binary @throws DelosError ERR_TIMEOUT
 */
export async function keepForward(
  paths: InstancePaths,
  kube: string,
  handle: Pick<ClusterHandle, 'kubeconfig' | 'context'>,
  service: ForwardedService,
): Promise<void> {
  const command = [
    ...[kube, 'kubectl', '--kubeconfig', handle.kubeconfig, '--context', handle.context],
    ...['port-forward', '--address', '127.0.0.1', '--namespace', service.namespace, `service/${service.name}`],
    ...service.ports.map((port) => `${port.host}:${port.service}`),
  ];
  const marker = markerOf(paths);
  const running = findByArgument(marker);
  const isSame = ({ pid }: ProcessIdentity): boolean => commandLine(pid).slice(4).join('\0') === command.join('\0');
  if (!(running.length === 1 && running.every(isSame))) {
    await endForward(paths);
    const log = join(paths.state, 'cluster', 'forward.log');
    mkdirSync(dirname(log), { recursive: true });
    const file = openSync(log, 'w', 0o600);
    spawn('sh', ['-c', LOOP, marker, ...command], { detached: true, stdio: ['ignore', file, file], cwd: '/' }).unref();
    closeSync(file);
  }
  for (const { host } of service.ports) {
    if (await waitUntil(() => answers(host), OPEN_LIMIT, 200)) continue;
    throw new DelosError('ERR_TIMEOUT', `127.0.0.1:${host} does not lead to service ${service.name} after 60 s`, {
      hint: `what kubectl port-forward says is in ${join(paths.state, 'cluster', 'forward.log')}`,
    });
  }
}

/** Ends what `keepForward` started; nothing where there is nothing. */
export async function endForward(paths: InstancePaths): Promise<void> {
  const all = () => findByArgument(markerOf(paths));
  await waitUntil(() => {
    for (const identity of all()) killGroup(identity);
    return all().length === 0;
  }, 10_000);
}

/** Ports that a forward holds which runs now. */
export const forwardedPorts = (paths: InstancePaths): readonly number[] =>
  forwardRuns(paths) ? (tryReadJson(fileOf(paths), settledFile)?.ports ?? []).map(({ host }) => host) : [];

/** Whether the process that keeps the forward runs. */
export const forwardRuns = (paths: InstancePaths): boolean => findByArgument(markerOf(paths)).length > 0;

/** The loop leads its own group, with kubectl in it. */
function killGroup(identity: ProcessIdentity): void {
  try {
    process.kill(-identity.pid, 'SIGKILL');
  } catch {
    kill(identity);
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
