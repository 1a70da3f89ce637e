import { createHash, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { NODE_NAMESPACE, PLATFORM_NAMESPACE } from '@delos/constructs';
import { DelosError, OWN_PREFIX } from '@delos/core';
import { z } from 'zod';
import type { CommandContext } from '../../context.ts';
import type { Kube } from '../../instance/kube.ts';
import { outputOf } from '../backup/pod-command.ts';

/** The kubelet brings a changed Secret to its Pods within a minute or two, and at once where their Pod changes. */
const ARRIVE_LIMIT_MS = 180_000;
const AGAIN_MS = 500;
/** How long a service may go by what it read last. */
const REREAD_MS = 1_000;

const pods = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ name: z.string(), namespace: z.string(), deletionTimestamp: z.string().optional() }),
      spec: z.object({
        volumes: z
          .array(z.object({ name: z.string(), secret: z.object({ secretName: z.string() }).optional() }))
          .default([]),
        containers: z.array(
          z.object({
            name: z.string(),
            volumeMounts: z
              .array(z.object({ name: z.string(), mountPath: z.string(), subPath: z.string().optional() }))
              .default([]),
          }),
        ),
      }),
      status: z.object({ phase: z.string() }),
    }),
  ),
});
type Pod = z.infer<typeof pods>['items'][number];

const secrets = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ name: z.string(), namespace: z.string() }),
      data: z.record(z.string(), z.base64()).default({}),
    }),
  ),
});

/** Waits until every container that has one of these Secrets as files sees what it holds now. */
export async function untilArrived(
  kube: Kube,
  names: ReadonlySet<string>,
  { progress, signal }: CommandContext,
): Promise<void> {
  const mark = `${OWN_PREFIX}secrets-changed=${randomUUID()}`;
  const end = Date.now() + ARRIVE_LIMIT_MS;
  for (const namespace of [PLATFORM_NAMESPACE, NODE_NAMESPACE]) {
    const held = await kube.json(secrets, ['get', 'secrets', '--namespace', namespace]);
    const wanted = new Map(
      held.items
        .filter(({ metadata }) => names.has(metadata.name))
        .map(({ metadata, data }) => [metadata.name, digestsOf(data)]),
    );
    const { items } = await kube.json(pods, ['get', 'pods', '--namespace', namespace]);
    const places = items.filter(isThere).flatMap((pod) => placesOf(pod, wanted));
    const marked = [...new Set(places.map(({ pod }) => pod))];
    if (marked.length > 0)
      await kube.text(['annotate', 'pods', '--namespace', namespace, ...marked, mark, '--overwrite']);
    for (const place of places) {
      while ((await seen(kube, namespace, place, signal)) !== place.digests) {
        if (Date.now() > end) throw late(place.pod, place.path);
        progress.step(`waiting until ${place.pod} sees ${place.path}`);
        await sleep(AGAIN_MS, undefined, { signal });
      }
    }
  }
  await sleep(REREAD_MS, undefined, { signal });
}

const isThere = ({ metadata, status }: Pod): boolean =>
  metadata.deletionTimestamp === undefined && status.phase === 'Running';

interface Place {
  readonly pod: string;
  readonly container: string;
  readonly path: string;
  /** A line for each file. */
  readonly digests: string;
}

function placesOf({ metadata, spec }: Pod, wanted: ReadonlyMap<string, string>): readonly Place[] {
  const held = new Map(
    spec.volumes.flatMap(({ name, secret }) => {
      const digests = secret === undefined ? undefined : wanted.get(secret.secretName);
      return digests === undefined ? [] : [[name, digests] as const];
    }),
  );
  return spec.containers.flatMap((container) =>
    container.volumeMounts.flatMap(({ name, mountPath, subPath }) => {
      const digests = held.get(name);
      // One file by itself is never brought up to date: such a Pod has to start anew.
      if (digests === undefined || subPath !== undefined) return [];
      return [{ pod: metadata.name, container: container.name, path: mountPath, digests }];
    }),
  );
}

const digestsOf = (data: Readonly<Record<string, string>>): string =>
  Object.entries(data)
    .map(([key, value]) => `${createHash('sha256').update(Buffer.from(value, 'base64')).digest('hex')}  ${key}`)
    .sort()
    .join('\n');

/** What a container sees; undefined where it cannot be asked, as one that has just ended. */
async function seen(kube: Kube, namespace: string, place: Place, signal: AbortSignal): Promise<string | undefined> {
  const command = ['sh', '-c', 'cd "$1" && sha256sum -- *', 'look', place.path];
  const parts: Buffer[] = [];
  try {
    const at = { namespace, pod: place.pod, container: place.container };
    for await (const bytes of outputOf(kube, at, command, signal)) parts.push(bytes);
  } catch (error) {
    if (signal.aborted) throw error;
    return undefined;
  }
  return Buffer.concat(parts).toString().trim().split('\n').sort().join('\n');
}

const late = (pod: string, path: string): DelosError =>
  new DelosError('ERR_TIMEOUT', `${pod} does not see the changed files in ${path} after ${ARRIVE_LIMIT_MS / 1000} s`, {
    hint: '`delos status` tells whether its node is well; the same command goes on',
  });
