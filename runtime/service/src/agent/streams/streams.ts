import { setTimeout as sleep } from 'node:timers/promises';
import type { StreamRefused, StreamRequest } from '@delos/core';
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

export interface StreamsProps {
  readonly client: KubeClient;
  readonly apiUrl: string;
  readonly prefix: AgentPrefix;
  readonly token: string;
  readonly podOf: (jobId: string) => Pod | undefined;
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
    const { path, query, inputQuery } = endpointOf(pod, request);
    const opened: WebSocket[] = [];
    const open = async (asked: Query): Promise<WebSocket> => {
      const socket = await kubeSocket(props.client, path, asked, CHANNELS);
      opened.push(socket);
      return socket;
    };
    try {
      const kube = await open(query);
      const input = inputQuery === undefined ? kube : await open(inputQuery);
      const back = await dialBack(props, request);
      if (request.kind === 'port-forward') joinForward(kube, back);
      else joinChannels({ kube, input }, back, props, request, attemptOf(pod));
    } catch (error) {
      for (const socket of opened) socket.terminate();
      throw error;
    }
  } catch (error) {
    props.log.info({ error, stream: request.id, kind: request.kind, jobId: request.jobId }, 'stream refused');
    await refuse(props, request, refusalOf(request, error));
  }
}

/**
 * Where the Kubernetes API has what is asked for.
 *
 * An attach with input and both outputs takes a second connection, for its input. containerd gives up the input of an attach when one
 * output has ended, and takes the other output for ended as well, whatever of it is still to be read: the last lines of a
 * container that ends would be lost now and then (`ContainerIO.Attach` in containerd's internal/cri/io).
 */
function endpointOf(
  pod: Pod,
  request: StreamRequest,
): { readonly path: string; readonly query: Query; readonly inputQuery?: Query } {
  const base = `/api/v1/namespaces/${pod.metadata.namespace ?? ''}/pods/${pod.metadata.name}`;
  if (request.kind === 'port-forward') {
    return { path: `${base}/portforward`, query: { ports: String(request.port ?? 0) } };
  }
  const tty =
    request.kind === 'exec' ? request.tty : (pod.spec.containers.find(({ name }) => name === CONTAINER)?.tty ?? false);
  // A terminal has one output.
  const { stdin, stdout } = request;
  const stderr = request.stderr && !tty;
  const queryOf = (flags: Readonly<Record<'stdin' | 'stdout' | 'stderr', boolean>>): Query => ({
    container: CONTAINER,
    stdin: String(flags.stdin),
    stdout: String(flags.stdout),
    stderr: String(flags.stderr),
    tty: String(tty),
    ...(request.kind === 'exec' ? { command: request.command } : {}),
  });
  const path = `${base}/${request.kind}`;
  return request.kind === 'attach' && stdin && stdout && stderr
    ? {
        path,
        query: queryOf({ stdin: false, stdout, stderr }),
        inputQuery: queryOf({ stdin, stdout: false, stderr: false }),
      }
    : { path, query: queryOf({ stdin, stdout, stderr }) };
}

/** Connections to a container: where its outputs and its end come from, and where input goes; mostly one for both. */
interface ContainerSockets {
  readonly kube: WebSocket;
  readonly input: WebSocket;
}

function joinChannels(
  { kube, input }: ContainerSockets,
  back: WebSocket,
  props: StreamsProps,
  request: StreamRequest,
  attempt: number,
): void {
  let ended = false;
  const finish = async (exitCode: number | undefined): Promise<void> => {
    const code = exitCode ?? (await exitCodeOf(props, request.jobId, attempt));
    if (code !== undefined && back.readyState === WebSocket.OPEN) back.send(exitFrame(code));
    endSocket(back);
    endSocket(kube);
    endSocket(input);
  };
  const settle = (exitCode: number | undefined): void => detach(props.log, 'ending a stream', () => finish(exitCode));
  forwardFrames(kube, back, (frame) => {
    const { output, end } = fromKube(frame);
    if (output !== undefined) return output;
    if (end === undefined || ended) return undefined;
    ended = true;
    if (request.kind === 'attach') settle(end.message === undefined ? undefined : end.exitCode);
    else {
      if (end.message !== undefined) back.send(stderrFrame(`${end.message}\r\n`));
      settle(end.exitCode);
    }
    return undefined;
  });
  forwardFrames(back, input, toKube);
  kube.on('error', () => kube.terminate());
  kube.once('close', () => {
    if (ended) return;
    ended = true;
    // An attach broke off: either its container has ended, or the connection was lost.
    if (request.kind === 'attach') settle(undefined);
    else endSocket(back, 1011, 'the connection to the container was lost');
  });
  back.on('error', () => back.terminate());
  back.once('close', () => {
    ended = true;
    endSocket(kube);
    endSocket(input);
  });
  if (input !== kube) {
    // A container that takes no input any more may go on with its output.
    input.on('error', () => input.terminate());
    input.resume();
  }
  kube.resume();
  back.resume();
}

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
