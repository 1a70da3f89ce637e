import { setTimeout as sleep } from 'node:timers/promises';
import { STREAM_CHANNEL, type StreamRefused, type StreamRequest } from '@delos/core';
import { type KubeClient, KubeError, type Query } from '@delos/kube';
import type { Logger } from 'pino';
import WebSocket from 'ws';
import { detach } from '../../edge/guard.ts';
import { endSocket, forwardFrames, joinSockets } from '../../relay.ts';
import type { AgentPrefix } from '../../uplink.ts';
import { CONTAINER } from '../container-name.ts';
import type { Pod } from '../jobs/pod-shape.ts';
import { streamUsage, tryUsage } from '../jobs/usage.ts';
import { exitFrame, ForwardFrames, fromKube, stderrFrame, toKube } from './frames.ts';
import { kubeSocket } from './kube-socket.ts';
import { openPaused } from './paused-socket.ts';
import { beginSave, type ImageSavers, passLines } from './save.ts';

export interface StreamsProps {
  readonly client: KubeClient;
  readonly apiUrl: string;
  readonly prefix: AgentPrefix;
  readonly token: string;
  readonly podOf: (jobId: string) => Pod | undefined;
  /** @default containers cannot be saved */
  readonly savers?: ImageSavers | undefined;
  readonly log: Logger;
}

/**
 * Not v5: with it the API server accepts before it has asked the kubelet, and a container that has ended looks alive.
 */
const CHANNELS = ['v4.channel.k8s.io'];
/** An attach ends with the container; its exit code comes with the Pod's status a moment later. */
const EXIT_CODE_MS = 5_000;
const EXIT_CODE_STEP_MS = 25;

/**
 * Answers one request of the control plane: the Pod first, then the call back, so that a refusal is the client's own.
 */
export async function openStream(props: StreamsProps, request: StreamRequest): Promise<void> {
  const pod = props.podOf(request.jobId);
  try {
    if (pod === undefined) throw new KubeError(404, 'its container is not there');
    if (request.kind === 'top') {
      if (runningOf(props, request.jobId) === undefined) throw new KubeError(404, 'not running');
      const first = await tryUsage(props.client, pod);
      const back = await dialBack(props, request);
      await streamUsage(back, props.client, () => runningOf(props, request.jobId), first);
      return;
    }
    if (request.kind === 'save') {
      const begun = await beginSave(props.client, props.savers, pod, request);
      const back = await dialBack(props, request).catch((error: unknown) => {
        begun.abort();
        throw error;
      });
      await passLines(begun, back);
      return;
    }
    const { path, queries } = endpointOf(pod, request);
    const sockets: WebSocket[] = [];
    try {
      for (const query of queries) sockets.push(await kubeSocket(props.client, path, query, CHANNELS));
      const back = await dialBack(props, request);
      if (request.kind === 'port-forward') for (const kube of sockets) joinForward(kube, back);
      else joinChannels(sockets, back, props, request, attemptOf(pod));
    } catch (error) {
      for (const socket of sockets) socket.terminate();
      throw error;
    }
  } catch (error) {
    props.log.info({ error, stream: request.id, kind: request.kind, jobId: request.jobId }, 'stream refused');
    await refuse(props, request, refusalOf(request, error));
  }
}

/**
 * Where the Kubernetes API has what is asked for: a query for each connection that it takes. Input goes to the first.
 *
 * An attach takes a connection for each output, each with an input, be it never used: containerd takes an attach for
 * ended when its input has ended (`ContainerIO.Attach` in its internal/cri/io), which it has at once where none is asked
 * for, and is made to when the first of two outputs ends. What was left of the other would be lost.
 */
function endpointOf(pod: Pod, request: StreamRequest): { readonly path: string; readonly queries: readonly Query[] } {
  const base = `/api/v1/namespaces/${pod.metadata.namespace ?? ''}/pods/${pod.metadata.name}`;
  if (request.kind === 'port-forward') {
    return { path: `${base}/portforward`, queries: [{ ports: String(request.port ?? 0) }] };
  }
  const tty =
    request.kind === 'exec' ? request.tty : (pod.spec.containers.find(({ name }) => name === CONTAINER)?.tty ?? false);
  // A terminal has one output.
  const asked: Flags = { stdin: request.stdin, stdout: request.stdout, stderr: request.stderr && !tty };
  const queryOf = (flags: Flags): Query => ({
    container: CONTAINER,
    stdin: String(flags.stdin),
    stdout: String(flags.stdout),
    stderr: String(flags.stderr),
    tty: String(tty),
    ...(request.kind === 'exec' ? { command: request.command } : {}),
  });
  return {
    path: `${base}/${request.kind}`,
    queries: (request.kind === 'exec' ? [asked] : attachedBy(asked)).map(queryOf),
  };
}

type Flags = Readonly<Record<'stdin' | 'stdout' | 'stderr', boolean>>;

function attachedBy(asked: Flags): readonly Flags[] {
  const only = { stdin: true, stdout: false, stderr: false };
  const outputs = (['stdout', 'stderr'] as const).filter((output) => asked[output]);
  return outputs.length === 0 ? [only] : outputs.map((output) => ({ ...only, [output]: true }));
}

/** Passes on what comes of all connections to the container, and input to the first of them. */
function joinChannels(
  sockets: readonly WebSocket[],
  back: WebSocket,
  props: StreamsProps,
  request: StreamRequest,
  attempt: number,
): void {
  let ended = false;
  let going = sockets.length;
  const endAll = (): void => {
    for (const socket of sockets) endSocket(socket);
  };
  const finish = async (exitCode: number | undefined): Promise<void> => {
    const code = exitCode ?? (await exitCodeOf(props, request.jobId, attempt));
    if (code !== undefined && back.readyState === WebSocket.OPEN) back.send(exitFrame(code));
    endSocket(back);
    endAll();
  };
  const settle = (exitCode: number | undefined): void => {
    if (ended) return;
    ended = true;
    detach(props.log, 'ending a stream', () => finish(exitCode));
  };
  for (const kube of sockets) {
    let said = false;
    forwardFrames(kube, back, (frame) => {
      const { output, end } = fromKube(frame);
      if (output !== undefined) return output;
      if (end === undefined || said) return undefined;
      said = true;
      going -= 1;
      if (request.kind === 'attach') {
        // The other output may still have something.
        if (end.message !== undefined) settle(end.exitCode);
        else if (going === 0) settle(undefined);
      } else if (!ended) {
        if (end.message !== undefined) back.send(stderrFrame(`${end.message}\r\n`));
        settle(end.exitCode);
      }
      return undefined;
    });
    kube.on('error', () => kube.terminate());
    kube.once('close', () => {
      if (said || ended) return;
      // An attach broke off: either its container has ended, or the connection was lost.
      if (request.kind === 'attach') settle(undefined);
      else {
        ended = true;
        endSocket(back, 1011, 'the connection to the container was lost');
      }
    });
  }
  const [first] = sockets;
  if (first !== undefined) forwardFrames(back, first, (frame) => (mayType(request, frame) ? toKube(frame) : undefined));
  back.on('error', () => back.terminate());
  back.once('close', () => {
    ended = true;
    endAll();
  });
  for (const kube of sockets) kube.resume();
  back.resume();
}

/** Input reaches a container only where it was asked for. */
const mayType = ({ stdin }: StreamRequest, frame: Buffer): boolean => stdin || frame[0] !== STREAM_CHANNEL.stdin;

function joinForward(kube: WebSocket, back: WebSocket): void {
  const frames = new ForwardFrames();
  forwardFrames(kube, back, (frame) => {
    const { data, error } = frames.fromKube(frame);
    if (error !== undefined) endSocket(back, 1011, error.slice(0, 100));
    return data;
  });
  forwardFrames(back, kube, (frame) => frames.toKube(frame));
  joinSockets(kube, back);
}

/** A job's Pod while its container runs. */
function runningOf(props: StreamsProps, jobId: string): Pod | undefined {
  const pod = props.podOf(jobId);
  const main = pod?.status.containerStatuses.find(({ name }) => name === CONTAINER);
  return main?.state.running === undefined ? undefined : pod;
}

function attemptOf(pod: Pod | undefined): number {
  return pod?.status.containerStatuses.find(({ name }) => name === CONTAINER)?.restartCount ?? 0;
}

/**
 * How the attempt ended that the client was attached to; undefined where it goes on, or where the end is not heard of
 * in time.
 */
async function exitCodeOf(props: StreamsProps, jobId: string, attempt: number): Promise<number | undefined> {
  for (const until = Date.now() + EXIT_CODE_MS; Date.now() < until; await sleep(EXIT_CODE_STEP_MS)) {
    const status = props.podOf(jobId)?.status.containerStatuses.find(({ name }) => name === CONTAINER);
    if (status === undefined) return undefined;
    if (status.restartCount > attempt) return status.lastState.terminated?.exitCode;
    if (status.state.terminated !== undefined) return status.state.terminated.exitCode;
    if (status.state.waiting !== undefined && status.lastState.terminated !== undefined) {
      return status.lastState.terminated.exitCode;
    }
  }
  return undefined;
}

/** The replica that waits for the stream is one of several: the common address could lead to another. */
const placeOf = ({ apiUrl, prefix }: StreamsProps, { id, callback }: StreamRequest): string =>
  `${callback ?? apiUrl}${prefix}/streams/${id}`;

function dialBack(props: StreamsProps, request: StreamRequest): Promise<WebSocket> {
  return openPaused(placeOf(props, request).replace(/^http/, 'ws'), {
    headers: { authorization: `Bearer ${props.token}` },
    handshakeTimeout: 5_000,
  });
}

function refusalOf(request: StreamRequest, error: unknown): StreamRefused {
  if (!(error instanceof KubeError)) {
    return {
      status: 503,
      message: `the container cannot be reached now: ${error instanceof Error ? error.message : String(error)}`,
    };
  }
  // The client takes 404 for "the container has ended" and looks at the job.
  if (
    request.kind !== 'port-forward' &&
    (error.status === 404 || /state|not found|not running|completed|terminated/i.test(error.message))
  ) {
    return { status: 404, message: `the container of ${request.jobId} is not running` };
  }
  if (error.status === 501) return { status: 501, message: error.message };
  return { status: error.status >= 500 ? 503 : 400, message: error.message.slice(0, 500) };
}

async function refuse(props: StreamsProps, request: StreamRequest, refusal: StreamRefused): Promise<void> {
  try {
    await fetch(placeOf(props, request), {
      method: 'POST',
      headers: { authorization: `Bearer ${props.token}`, 'content-type': 'application/json' },
      body: JSON.stringify(refusal),
      signal: AbortSignal.timeout(5_000),
    });
  } catch (error) {
    // The caller that waits for it has a limit of its own.
    props.log.warn({ error, stream: request.id }, 'a refusal could not be told');
  }
}
