import { IMAGE_SAVER, NAME_LABEL, NODE_NAMESPACE, type StreamRequest } from '@delos/core';
import { type KubeClient, KubeError } from '@delos/kube';
import type WebSocket from 'ws';
import { z } from 'zod';
import { endSocket } from '../../relay.ts';
import { CONTAINER } from '../container-name.ts';
import type { Pod } from '../jobs/pod-shape.ts';

/** Where the part that saves containers is: one Pod on each node. */
export interface ImageSavers {
  readonly port: number;
  /** What it is shown. */
  readonly token: () => string;
}

/** It has found the container by then; what follows is a stream. */
const BEGIN_MS = 10_000;
/** Says that the work goes on, and nothing else: the client would not know it. */
const ALIVE = '{}';

const pods = z.object({
  items: z.array(z.object({ status: z.object({ phase: z.string().optional(), podIP: z.string().optional() }) })),
});
const refused = z.object({ message: z.string() });

/**
 * Asks the part on a job's node for an image of its container. @returns what it tells, line by line
 * @throws KubeError 501 where the node has no such part; what it refuses with
 */
export async function beginSave(
  client: KubeClient,
  savers: ImageSavers | undefined,
  pod: Pod,
  { save }: StreamRequest,
): Promise<{ readonly lines: ReadableStream<Uint8Array>; readonly abort: () => void }> {
  if (save === undefined) throw new KubeError(400, 'no image is named');
  const { nodeName } = pod.spec;
  const status = pod.status.containerStatuses.find(({ name }) => name === CONTAINER);
  const container = /^containerd:\/\/([0-9a-f]{64})$/.exec(status?.containerID ?? '')?.[1];
  const digest = /sha256:[0-9a-f]{64}$/.exec(status?.imageID ?? '')?.[0];
  if (status?.state.running === undefined || nodeName === undefined) throw new KubeError(404, 'not running');
  if (container === undefined || digest === undefined) {
    throw new KubeError(501, 'the node does not run its containers by containerd, and no other can be saved');
  }
  const host = savers === undefined ? undefined : await saverOn(client, nodeName);
  if (savers === undefined || host === undefined) {
    throw new KubeError(501, 'nothing on the job’s node saves containers: services.imageSaver of delos.yaml brings it');
  }
  const stop = new AbortController();
  const late = setTimeout(() => stop.abort(), BEGIN_MS);
  const name = host.includes(':') ? `[${host}]` : host;
  try {
    const answer = await fetch(`http://${name}:${savers.port}/save`, {
      method: 'POST',
      headers: { authorization: `Bearer ${savers.token()}`, 'content-type': 'application/json' },
      body: JSON.stringify({ container, digest, ...save }),
      signal: stop.signal,
    });
    if (answer.ok && answer.body !== null) return { lines: answer.body, abort: () => stop.abort() };
    const told = refused.safeParse(await answer.json().catch(() => undefined));
    throw new KubeError(answer.status, told.success ? told.data.message : `the node answers ${answer.status}`);
  } finally {
    clearTimeout(late);
  }
}

async function saverOn(client: KubeClient, node: string): Promise<string | undefined> {
  const found = await client.get('/api/v1/pods', {
    labelSelector: `${NAME_LABEL}=${IMAGE_SAVER}`,
    fieldSelector: `spec.nodeName=${node},metadata.namespace=${NODE_NAMESPACE}`,
  });
  return pods.parse(found).items.find(({ status }) => status.phase === 'Running' && status.podIP)?.status.podIP;
}

/** Passes on what is told, as text. Where the other end goes away, so does the work. */
export async function passLines(
  { lines, abort }: Awaited<ReturnType<typeof beginSave>>,
  back: WebSocket,
): Promise<void> {
  back.on('error', () => back.terminate());
  back.once('close', abort);
  back.resume();
  try {
    const decoder = new TextDecoder();
    let begun = '';
    for await (const part of lines) {
      const whole = (begun + decoder.decode(part, { stream: true })).split('\n');
      begun = whole.pop() ?? '';
      const text = whole.flatMap((line) => (line === ALIVE ? [] : `${line}\n`)).join('');
      if (text === '') continue;
      await new Promise<void>((resolve, reject) => {
        back.send(text, (error) => (error ? reject(error) : resolve()));
      });
    }
    endSocket(back);
  } catch {
    endSocket(back, 1011, 'the container’s node was lost meanwhile');
  }
}
